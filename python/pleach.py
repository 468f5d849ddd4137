"""A running pleach peer, asked from Python, with nothing but the standard library.

    from pleach import ComputeClient

    client = ComputeClient()
    wanted = {"gpu_type": "4090", "min_vram_gb": 24, "region": "eu"}
    providers = client.find_providers(wanted)
    if not providers:
        print(client.explain(wanted)["excluded"])
    else:
        print(providers[0].id, providers[0].price)

It speaks with the control socket of a peer of this user (`pleach up`, or `pleach devnet`): the peer has the key, and does what the network
needs. Every error is a PleachError with .code, .why and .cure; `pleach explain CODE` says more.
"""

import base64
import http.client
import json
import os
import socket
import warnings
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Optional
from urllib.parse import quote

__all__ = ["ComputeClient", "Deployment", "Job", "PleachError", "Provider"]

_REQUIREMENTS = ("gpu_type", "min_vram_gb", "min_nodes", "region", "max_price_per_hour")
_ANSWER_BYTES_MAX = 256 * 1024 * 1024


class PleachError(Exception):
    """What went wrong, why, and one cure. `code` is NO_PEER when no peer is running, NO_MATCH when nobody fits, and so on."""

    def __init__(self, code: str, what: str, why: str = "", cure: str = "", details: Optional[Mapping[str, Any]] = None):
        super().__init__(what)
        self.code, self.why, self.cure = code, why, cure
        self.details = dict(details or {})


@dataclass(frozen=True)
class Provider:
    id: str
    petname: str
    #: For one processor for one hour, with all that was asked for.
    price: float
    unit: str
    region: str
    standing: float
    #: All that is known of it, as the peer tells it.
    offer: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Deployment:
    status_url: str


@dataclass(frozen=True)
class Job:
    """How a job ended: what it printed, and its exit code."""

    id: str
    stdout: bytes
    stderr: bytes
    exit_code: Optional[int]
    view: Mapping[str, Any] = field(repr=False)

    def text(self) -> str:
        return self.stdout.decode("utf-8")


class ComputeClient:
    """`socket_path`: of a peer's control socket; left out, it is found as the command line finds it. `timeout_s`: of each answer."""

    def __init__(
        self,
        private_key: Optional[str] = None,
        *,
        profile: Optional[str] = None,
        socket_path: Optional[str] = None,
        timeout_s: float = 60.0,
    ):
        if private_key is not None:
            warnings.warn("private_key is not used: the peer that is asked has its own", stacklevel=2)
        self._socket_path = socket_path or _find_socket(profile)
        self._timeout_s = timeout_s

    def status(self) -> Mapping[str, Any]:
        return self._ask("GET", "/v1/status")

    def find_providers(self, requirements: Optional[Mapping[str, Any]] = None) -> list[Provider]:
        """Best standing first, then cheapest; empty when none fits, and then `explain` says why."""
        wish, nodes = _wish_of(requirements or {})
        offers = self._ask("POST", "/v1/offers", {"find": True, "wish": wish})["offers"]
        if len(offers) < nodes:
            return []
        providers = [
            Provider(
                id=offer["peer"],
                petname=offer["petname"],
                price=float(offer["askedPerCpuHour"]),
                unit=offer["unit"],
                region=offer["region"],
                standing=offer["standing"],
                offer=offer,
            )
            for offer in offers
        ]
        return sorted(providers, key=lambda one: (-one.standing, one.price))

    def explain(self, requirements: Optional[Mapping[str, Any]] = None) -> Mapping[str, Any]:
        """How many providers are known, at what each fails first (`excluded`), and which is nearest."""
        wish, _ = _wish_of(requirements or {})
        return self._ask("POST", "/v1/offers", {"find": False, "wish": wish})["explanation"]

    def run(self, module: str, args: tuple[str, ...] = (), **spec: Any) -> Job:
        """Runs a WASI module and waits for its end. `spec` has the keys of a job file, such as cpuMilli=2000 or out="/tmp/out"."""
        asked = {**spec, "module": os.path.abspath(module), "args": list(args)}
        job = self._ask("POST", "/v1/jobs", asked)
        output = {"stdout": bytearray(), "stderr": bytearray()}
        for event in self.events(job["id"], logs=True):
            if event["type"] == "log":
                output[event["channel"]] += base64.b64decode(event["base64"])
            elif event["type"] == "end":
                view = event["job"]
                if view["exitCode"] is None:
                    code = view["code"] if view["code"] not in ("", "PAID") else (view["reason"] or "FAULT").upper().replace("-", "_")
                    cure = f"pleach explain {code}"
                    raise PleachError(code, "the job ended without a result", view["detail"], cure, event["explanation"])
                return Job(job["id"], bytes(output["stdout"]), bytes(output["stderr"]), view["exitCode"], view)
        raise PleachError("PEER_GONE", "the peer went away before the job had ended", "its events ended", "pleach up")

    def events(self, job: str, logs: bool = False) -> Iterator[Mapping[str, Any]]:
        """What happens to a job, from its beginning to its end. Waits for as long as the job takes."""
        connection = self._connect(None)
        try:
            response = self._send(connection, "GET", f"/v1/jobs/{job}/events?follow=1&logs={int(logs)}", None)
            for line in response:
                event = json.loads(line)
                _raise_error(event)
                yield event
        finally:
            connection.close()

    def deploy_container(self, provider_id: str, image: str, env_vars: Optional[Mapping[str, str]] = None) -> Deployment:
        """Runs an image at a provider: the path of an OCI archive, or NAME@sha256:… in a registry. Does not wait for it.

        `status_url` is of the peer's control socket, in the form of requests-unixsocket: http+unix://SOCKET/v1/jobs/JOB."""
        if not provider_id or not image:
            raise PleachError("BAD_SPEC", "a container needs provider_id and image", "one of them is empty", "pleach offers")
        wish = {"runtime": "oci", "allow": [provider_id]}
        offers = self._ask("POST", "/v1/offers", {"find": True, "wish": wish})["offers"]
        if not any(offer["peer"] == provider_id and "oci" in offer["runtimes"] for offer in offers):
            raise PleachError(
                "NO_CONTAINER_RUNTIME",
                f"{image[:200]} cannot be deployed there",
                "that provider is not known to run containers",
                "pleach offers --runtime oci",
            )
        source = image if "@sha256:" in image else os.path.abspath(image)
        job = self._ask("POST", "/v1/jobs", {"image": source, "env": dict(env_vars or {}), "allow": [provider_id]})
        return Deployment(f"http+unix://{quote(self._socket_path, safe='')}/v1/jobs/{job['id']}")

    def _ask(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Mapping[str, Any]:
        connection = self._connect(self._timeout_s)
        try:
            response = self._send(connection, method, path, body)
            answer = json.loads(response.read(_ANSWER_BYTES_MAX))
        except socket.timeout:
            raise PleachError("TIMEOUT", "no answer in time", f"the peer took more than {self._timeout_s} s", "pleach status") from None
        finally:
            connection.close()
        _raise_error(answer)
        return answer

    def _connect(self, timeout_s: Optional[float]) -> "_UnixConnection":
        return _UnixConnection(self._socket_path, timeout_s)

    def _send(
        self, connection: "_UnixConnection", method: str, path: str, body: Optional[Mapping[str, Any]]
    ) -> http.client.HTTPResponse:
        payload = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, payload, {} if payload is None else {"content-type": "application/json"})
            return connection.getresponse()
        except (FileNotFoundError, ConnectionRefusedError):
            raise PleachError("NO_PEER", "no peer is running", f"nobody answers on {self._socket_path}", "pleach up") from None
        except PermissionError:
            raise PleachError("NOT_YOUR_PEER", "the peer belongs to another user", self._socket_path, "pleach up") from None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: Optional[float]):
        super().__init__("peer", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _wish_of(requirements: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
    for name in requirements:
        if name not in _REQUIREMENTS:
            raise PleachError("BAD_SPEC", f"{name} is no requirement", f"there are {', '.join(_REQUIREMENTS)}", "leave it out")
    wish: dict[str, Any] = {}
    if requirements.get("gpu_type") is not None:
        wish["gpuModel"] = str(requirements["gpu_type"])
    if requirements.get("min_vram_gb") is not None:
        wish["gpuMemoryBytes"] = round(requirements["min_vram_gb"] * 1_000_000_000)
    if requirements.get("region") is not None:
        wish["regions"] = [str(requirements["region"])]
    if requirements.get("max_price_per_hour") is not None:
        wish["priceMax"] = f"{requirements['max_price_per_hour']:.6f}"
    return wish, int(requirements.get("min_nodes") or 1)


def _raise_error(answer: Any) -> None:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        raise PleachError(error["code"], error["what"], error.get("why", ""), error.get("cure", ""))


def _find_socket(profile: Optional[str]) -> str:
    """The profile that is named; else a devnet that answers; else the default profile. As in src/cli/connect.ts."""
    home = os.path.expanduser("~")
    data = os.path.join(_absolute("XDG_DATA_HOME") or os.path.join(home, ".local", "share"), "pleach")
    runtime = os.path.join(_absolute("XDG_RUNTIME_DIR"), "pleach") if _absolute("XDG_RUNTIME_DIR") else os.path.join(data, "run")
    named = profile or os.environ.get("PLEACH_PROFILE") or None
    if named is None:
        context = _socket_in(os.path.join(runtime, "context.json"))
        if context is not None and _is_answered(context):
            return context
    folder = data if named in (None, "default") else os.path.join(data, "profiles", named)
    return _socket_in(os.path.join(folder, "peer.json")) or os.path.join(runtime, f"{named or 'default'}.sock")


def _absolute(variable: str) -> Optional[str]:
    value = os.environ.get(variable, "")
    return value if os.path.isabs(value) else None


def _socket_in(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file).get("socket")
        return found if isinstance(found, str) else None
    except (OSError, ValueError, AttributeError):
        return None


def _is_answered(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(path)
            return True
        except OSError:
            return False
