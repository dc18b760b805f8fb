"""A certificate authority of the tests: TLS on loopback, and signed registry tokens."""

import base64
import ipaddress
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Signed:
    """A certificate for 127.0.0.1, its key, and who vouches for it."""

    ca: Path
    certificate: Path
    key: Path

    def token(self, issuer: str, service: str, access: list[dict[str, Any]]) -> str:
        """A token as registries verify it: a JWT signed with this key."""
        der = x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_bytes(
            serialization.Encoding.DER
        )
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        claims = {"iss": issuer, "sub": "tester", "aud": service, "access": access}
        claims |= {"iat": now - 5, "nbf": now - 5, "exp": now + 60, "jti": str(time.time_ns())}
        body = f"{_part(header)}.{_part(claims)}"
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        seal = key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{body}.{_encoded(seal)}"


def signed(folder: Path) -> Signed:
    """A new authority and a certificate of it."""
    folder.mkdir(parents=True, exist_ok=True)
    top = rsa.generate_private_key(65537, 2048)
    own = rsa.generate_private_key(65537, 2048)
    authority = _certificate("tests' authority", top.public_key(), "tests' authority", top, True)
    certificate = _certificate("localhost", own.public_key(), "tests' authority", top, False)
    paths = Signed(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    paths.ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    paths.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def _certificate(
    name: str, key: rsa.RSAPublicKey, issuer: str, signer: rsa.RSAPrivateKey, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    alternative = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder(
        subject_name=_name(name),
        issuer_name=_name(issuer),
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    )
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    builder = builder.add_extension(issued_by, False)
    builder = builder.add_extension(_usage(ca), True)
    if not ca:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), False)
    return builder.sign(signer, hashes.SHA256())


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _part(content: dict[str, Any]) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
