"""An environment's route: which service gets the requests, as the proxy's configuration.

The configuration is the state: its first line says in JSON what the rest does.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ....errors import ToolError
from .. import Instance
from .place import INNER_PORT

MARK = "# slipway "
SCHEMA = "route/1"
STATUS = "/-/slipway/"  # + routed or canary: that side's health, and which route answered
GENERATION = "x-slipway-route"
ANSWER_S = 60  # for a service's answer; as long may requests take to end after a switch
_WORD = re.compile(r"[A-Za-z0-9_.:+-]*")


@dataclass(frozen=True)
class Side:
    """A service and its address in the network."""

    instance: Instance
    address: str


@dataclass(frozen=True)
class Route:
    """Who gets the requests; each one written is told from the one before by its generation."""

    routed: Side | None = None
    canary: Side | None = None
    percent: int = 0
    generation: str = field(default_factory=lambda: secrets.token_hex(6))

    def leads_to(self, instance: Instance) -> bool:
        """Whether an instance has traffic, all or a part."""
        return instance.id in [side.instance.id for side in (self.routed, self.canary) if side]


def parse(text: str, where: str) -> Route:
    """The route in a configuration.

    Raises:
        ToolError: it is not one of ours.
    """
    try:
        line = text.splitlines()[0]
        content = json.loads(line.removeprefix(MARK))
        sides = {name: _side(content[name]) for name in ("routed", "canary")}
        return Route(**sides, percent=int(content["percent"]), generation=content["generation"])
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise ToolError(
            f"the route is malformed: {error!r}", where, "stop the environment, then deploy again"
        ) from error


def _side(content: Mapping[str, Any] | None) -> Side | None:
    if content is None:
        return None
    instance = Instance(**{name: str(content[name]) for name in Instance.__annotations__})
    return Side(instance, str(content["address"]))


def configuration(route: Route) -> str:
    """What nginx is to do. Every value in it is a plain word."""
    content = {
        "schema": SCHEMA,
        "generation": route.generation,
        "routed": _fields(route.routed),
        "canary": _fields(route.canary),
        "percent": route.percent,
    }
    sides = {"routed": route.routed, "canary": route.canary}
    blocks = [
        _upstream(name, side, route.canary if name == "routed" else route.routed)
        for name, side in sides.items()
        if side
    ]
    status = [_status(name, side, route.generation) for name, side in sides.items()]
    location = _FORWARD if route.routed else _NOTHING
    first = MARK + json.dumps(content, sort_keys=True)
    server = (_SERVER, *status, location, "  }", "}", "")
    return "\n".join((first, _MAIN, *_choice(route), *blocks, *server))


def _fields(side: Side | None) -> dict[str, str] | None:
    return {**asdict(side.instance), "address": side.address} if side else None


def _choice(route: Route) -> list[str]:
    """Which side a request is for: the key's hash decides, without a key chance does."""
    share = f"    {route.percent}% canary;\n" if route.canary else ""
    digests = [_line(name, side, "digest") for name, side in _named(route)]
    versions = [_line(name, side, "version") for name, side in _named(route)]
    return [
        f"  split_clients $slipway_key $side {{\n{share}    * routed;\n  }}",
        "  map $side $side_digest {\n    default none;\n" + "".join(digests) + "  }",
        "  map $side $side_release {\n    default none;\n" + "".join(versions) + "  }",
    ]


def _named(route: Route) -> list[tuple[str, Side]]:
    pairs = (("routed", route.routed), ("canary", route.canary))
    return [(name, side) for name, side in pairs if side]


def _line(name: str, side: Side, what: str) -> str:
    return f"    {name} {_word(getattr(side.instance, what))};\n"


def _word(value: str) -> str:
    """A value that means nothing to nginx but itself."""
    if not _WORD.fullmatch(value):
        raise ToolError(
            f"'{value}' cannot stand in the proxy's configuration",
            "the version of a release",
            "use letters, digits, and . _ : + - alone",
        )
    return value or "none"


def _upstream(name: str, side: Side, other: Side | None) -> str:
    """One side; in a split the other one answers for it while it cannot be reached."""
    server = f"    server {_word(side.address)}:{INNER_PORT}"
    if other:
        spare = f"    server {_word(other.address)}:{INNER_PORT} backup;\n"
        servers = f"{server} max_fails=2 fail_timeout=2s;\n{spare}"
    else:  # named twice: a request whose connection breaks is asked once more
        servers = f"{server} max_fails=0;\n" * 2
    return f"  upstream {name} {{\n{servers}    keepalive 32;\n  }}"


def _status(name: str, side: Side | None, generation: str) -> str:
    answer = f"proxy_pass http://{name}/v2/health/ready;" if side else "return 503;"
    return (
        f"    location = {STATUS}{name} {{\n"
        f"      add_header {GENERATION} {generation} always;\n      {answer}\n    }}"
    )


_MAIN = f"""\
worker_processes 1;
worker_shutdown_timeout {ANSWER_S + 10}s;
pid /tmp/nginx.pid;
error_log /dev/stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  server_tokens off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  client_max_body_size 1m;  # as the service itself: its early 413 would race with the body
  client_body_buffer_size 256k;
  client_header_timeout 10s;
  client_body_timeout 20s;
  # One request a connection: a reload closes connections that wait for their next request, and
  # loses the one that is on its way (nginx before 1.27.4 has no keepalive_min_timeout).
  keepalive_timeout 0;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_connect_timeout 1s;
  proxy_read_timeout {ANSWER_S}s;
  proxy_next_upstream error timeout non_idempotent;  # to recommend changes nothing
  proxy_next_upstream_timeout 5s;
  map $http_x_slipway_key $slipway_key {{
    "" $request_id;
    default $http_x_slipway_key;
  }}
  map $request $absolute {{
    default "";
    "~^[A-Z]+ [A-Za-z][A-Za-z0-9+.-]*://" yes;
  }}
  map $upstream_connect_time $unreached {{
    default "";
    "~-$" yes;
  }}"""

_WHO = """\
      add_header X-Slipway-Digest $side_digest always;
      add_header X-Slipway-Release $side_release always;"""


def _refusal(location: str, status: int, why: str) -> str:
    answer = json.dumps({"error": why})
    return f"    location {location} {{\n{_WHO}\n      return {status} '{answer}';\n    }}"


def _page(status: int, why: str) -> str:
    """An answer of nginx itself; no named location, which wants a request that could be read."""
    return _refusal(f"= {STATUS}{status}", status, why).replace("{\n", "{\n      internal;\n", 1)


_PAGES = " ".join(f"error_page {status} {STATUS}{status};" for status in (400, 408, 413))
_GONE = "the service cannot be reached"
_SERVER = f"""\
  server {{
    listen {INNER_PORT} default_server backlog=1024;
    default_type application/json;
    {_PAGES}
{_page(400, "ask for a path, not for an address")}
{_page(408, "the body did not arrive in time")}
{_page(413, "the body may have at most 1 MiB")}
{_refusal("@gone", 502, _GONE)}
    location @late {{
{_WHO}
      if ($unreached) {{ return 502 '{json.dumps({"error": _GONE})}'; }}
      return 504 '{json.dumps({"error": f"the service did not answer within {ANSWER_S} s"})}';
    }}"""

_FORWARD = f"""\
    location / {{
      if ($absolute) {{ return 400; }}
      {_PAGES}
      error_page 502 @gone;
      error_page 504 = @late;  # the code that it returns
      proxy_pass http://$side;
    }}"""

_NOTHING = _refusal("/", 503, "nothing is deployed here")
