"""Ends with 0 where the server in this container is ready; imports little, for it runs often."""

import socket
import sys

with socket.create_connection(("127.0.0.1", 8080), timeout=2) as connection:
    connection.sendall(b"GET /v2/health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
    status = connection.recv(64).split(b" ")[1:2]
sys.exit(status != [b"200"])
