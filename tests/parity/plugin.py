"""One of our plugins, driven over gRPC as the engine does; its answers in the notation of the recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct, Value

from offline_plugins.catalog import provider
from offline_plugins.protocol import engine_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from offline_plugins.server import start
from offline_plugins.wire import SECRET, SIGNATURE, UNKNOWN_TEXT, to_struct
from tests.parity.recordings import plain, values

_SEVERITIES = ("debug", "info", "warning", "error")

# The engine's client takes 16 MB of headers; this one would refuse, now and then, an error that carries 8 kB of state.
_AS_THE_ENGINE = [("grpc.max_metadata_size", 16 << 20), ("grpc.absolute_max_metadata_size", 16 << 20)]


class Engine:
    """Receives a plugin's messages, of severity info and above, as the recordings list them."""

    def __init__(self) -> None:
        self.log: list[dict[str, str]] = []
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        handler = grpc.unary_unary_rpc_method_handler(
            self._receive,
            request_deserializer=engine_pb2.LogRequest.FromString,
            response_serializer=Empty.SerializeToString,
        )
        handlers = grpc.method_handlers_generic_handler("pulumirpc.Engine", {"Log": handler})
        self._server.add_generic_rpc_handlers((handlers,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _receive(self, request: Any, _context: grpc.ServicerContext) -> Empty:
        if request.severity:
            self.log.append({"severity": _SEVERITIES[request.severity], "message": request.message})
        return Empty()

    def stop(self) -> None:
        self._server.stop(grace=None).wait()


class Plugin:
    """A running plugin. Every call returns `{"response": …}` or `{"error": …}` as a recorded step has it."""

    def __init__(self, name: str) -> None:
        self.engine = Engine()
        self._server, port = start(provider(name), self.engine.address)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", _AS_THE_ENGINE)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def __enter__(self) -> Plugin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        self._server.stop(grace=None).wait()
        self.engine.stop()

    def handshake(self) -> str:
        """The refusal, as "CODE: text"."""
        try:
            self._stub.Handshake(provider_pb2.ProviderHandshakeRequest())
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
        return "answered"

    def check_config(self, news: Any) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(urn=urn("pulumi:providers:any"), news=_sent(news))
        return _called(lambda: _checked(self._stub.CheckConfig(request)))

    def configure(self, config: Any) -> dict[str, Any]:
        request = provider_pb2.ConfigureRequest(args=_sent(config), acceptSecrets=True, acceptResources=True)
        return _called(lambda: _flags(self._stub.Configure(request)))

    def check(self, token: str, olds: Any, news: Any, name: str = "x", seed: bytes = b"seed") -> dict[str, Any]:
        request = provider_pb2.CheckRequest(
            urn=urn(token, name), name=name, olds=_sent(olds), news=_sent(news), randomSeed=seed
        )
        return _called(lambda: _checked(self._stub.Check(request)))

    def diff(
        self, token: str, id: str, olds: Any, old_inputs: Any, news: Any, ignored: Sequence[str] = ()
    ) -> dict[str, Any]:
        request = provider_pb2.DiffRequest(
            id=id,
            urn=urn(token),
            olds=_sent(olds),
            old_inputs=_sent(old_inputs),
            news=_sent(news),
            ignoreChanges=list(ignored),
        )
        return _called(lambda: _diffed(self._stub.Diff(request)))

    def create(
        self, token: str, news: Any, preview: bool = False, timeout: float = 0, name: str = "x"
    ) -> dict[str, Any]:
        request = provider_pb2.CreateRequest(
            urn=urn(token, name), name=name, properties=_sent(news), preview=preview, timeout=timeout
        )
        return _called(lambda: _state(self._stub.Create(request)))

    def update(
        self, token: str, id: str, olds: Any, old_inputs: Any, news: Any, preview: bool = False, timeout: float = 0
    ) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            id=id,
            urn=urn(token),
            olds=_sent(olds),
            old_inputs=_sent(old_inputs),
            news=_sent(news),
            preview=preview,
            timeout=timeout,
        )
        return _called(lambda: _state(self._stub.Update(request)))

    def read(self, token: str, id: str, properties: Any, inputs: Any) -> dict[str, Any]:
        request = provider_pb2.ReadRequest(id=id, urn=urn(token), properties=_sent(properties), inputs=_sent(inputs))
        return _called(lambda: _state(self._stub.Read(request)))

    def delete(self, token: str, id: str, properties: Any) -> dict[str, Any]:
        request = provider_pb2.DeleteRequest(id=id, urn=urn(token), properties=_sent(properties))
        return _called(lambda: _nothing(self._stub.Delete(request)))


def urn(token: str, name: str = "x") -> str:
    return f"urn:pulumi:stack::project::{token}::{name}"


def _sent(recorded: Any) -> Struct:
    """Recorded properties as a request carries them: without secrets."""
    return _struct(json.dumps(recorded))


@lru_cache(maxsize=64)
def _struct(recorded: str) -> Struct:
    """The same states are sent again and again; a request takes a copy."""
    return to_struct(plain(values(json.loads(recorded))))


def _called(call: Any) -> dict[str, Any]:
    try:
        return {"response": call()}
    except grpc.RpcError as error:
        found: dict[str, Any] = {"code": error.code().name, "details": error.details()}
        failed = _init_failed(error)
        return {"error": found | ({"initFailed": failed} if failed else {})}


def _init_failed(error: Any) -> dict[str, Any] | None:
    """The half-made resource that an error carries."""
    for name, value in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            failed = provider_pb2.ErrorResourceInitFailed()
            if detail.Unpack(failed):
                return {
                    "id": failed.id,
                    "properties": _shown(failed.properties),
                    "inputs": _shown(failed.inputs),
                    "reasons": list(failed.reasons),
                }
    return None


def _shown(struct: Struct) -> dict[str, Any]:
    return {key: _shown_value(value) for key, value in struct.fields.items()}


def _shown_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
            return {"$secret": _shown_value(fields["value"])}
        return _shown(value.struct_value)
    if kind == "list_value":
        return [_shown_value(item) for item in value.list_value.values]
    if kind == "string_value":
        return {"$unknown": True} if value.string_value == UNKNOWN_TEXT else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return value.bool_value if kind == "bool_value" else None


def _checked(response: Any) -> dict[str, Any]:
    failures = [
        ({"property": failure.property} if failure.property else {}) | {"reason": failure.reason}
        for failure in response.failures
    ]
    return {"inputs": _shown(response.inputs)} | ({"failures": failures} if failures else {})


def _flags(response: Any) -> dict[str, Any]:
    flags: Mapping[str, bool] = {
        "acceptSecrets": response.acceptSecrets,
        "supportsPreview": response.supportsPreview,
        "acceptResources": response.acceptResources,
        "acceptOutputs": response.acceptOutputs,
        "supportsAutonamingConfiguration": response.supports_autonaming_configuration,
    }
    return {name: True for name, value in flags.items() if value}


def _diffed(response: Any) -> dict[str, Any]:
    kinds = provider_pb2.PropertyDiff.Kind
    found: dict[str, Any] = {"changes": provider_pb2.DiffResponse.DiffChanges.Name(response.changes)}
    lists = {name: list(getattr(response, name)) for name in ("diffs", "replaces", "stables")}
    found |= {name: value for name, value in lists.items() if value}
    if response.detailedDiff:
        found["detailedDiff"] = {
            path: {"kind": kinds.Name(entry.kind)} | ({"inputDiff": True} if entry.inputDiff else {})
            for path, entry in response.detailedDiff.items()
        }
    flags = {"hasDetailedDiff": response.hasDetailedDiff, "deleteBeforeReplace": response.deleteBeforeReplace}
    return found | {name: True for name, value in flags.items() if value}


def _nothing(_response: Empty) -> dict[str, Any]:
    return {}


def _state(response: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"properties": _shown(response.properties)}
    if hasattr(response, "inputs"):
        found["inputs"] = _shown(response.inputs)
    return found | ({"id": response.id} if getattr(response, "id", "") else {})
