"""The gRPC side of a plugin: one servicer for all providers, and the plugin's process."""
# ruff: noqa: ARG002 - names and signatures of the protocol

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty

from offline_plugins.api import Api
from offline_plugins.protocol import engine_pb2, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from offline_plugins.resource import Checked, Diffed, InitFailed, Props, Provider, ProviderError, Resource
from offline_plugins.wire import from_struct, to_struct

PARENT_SECONDS = 1.0  # between two checks of the parent
_MESSAGE_BYTES = 400 * 1024 * 1024  # as the SDK allows: a Worker's content is a property
_SEVERITIES = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}
_STEPS = {"Create": "creating", "Read": "refreshing", "Update": "updating", "Delete": "deleting"}
# Bookkeeping in states that the official plugins wrote; ours neither need nor write it.
_FOREIGN = ("__pulumi_raw_state_delta", "__meta")

Handler = TypeVar("Handler", bound=Callable[..., Any])


def _answering(handler: Handler) -> Handler:
    """Convert the errors of `resource` into gRPC errors, and any other into one sentence without a traceback."""

    @wraps(handler)
    def call(self: Servicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(self, request, context)
        except InitFailed as error:
            self.fail_init(error, _step(handler.__name__, request) if self.provider.names_step else "", context)
        except ProviderError as error:
            # Create is not named: there, the official plugins name half-made resources only.
            named = self.provider.names_step and handler.__name__ in ("Read", "Update", "Delete")
            prefix = _step(handler.__name__, request) if named else ""
            context.abort(grpc.StatusCode[error.code], prefix + error.text)
        except Exception as error:  # a bug of ours: the engine must get an answer, the user one sentence
            if type(error) is Exception:  # raised by context.abort
                raise
            text = f"the offline {self.provider.name} plugin failed in {handler.__name__}: {type(error).__name__}"
            self.api.log("debug", f"{text}: {error}")
            context.abort(grpc.StatusCode.INTERNAL, text + "; run again with --debug to see more")

    return call  # type: ignore[return-value]


def _step(rpc: str, request: Any) -> str:
    return f"{_STEPS[rpc]} {request.urn}: "


def _known(props: Props) -> Props:
    return {key: value for key, value in props.items() if key not in _FOREIGN}


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine for one provider. The base class answers the rest (functions, components): UNIMPLEMENTED."""

    def __init__(self, provider: Provider, engine: str) -> None:
        self.provider = provider
        self.engine = engine
        self.api = Api(self.log)
        self._channel: grpc.Channel | None = None

    # ---- the plugin itself

    @_answering
    def Handshake(self, request: Any, context: grpc.ServicerContext) -> NoReturn:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, self.provider.handshake)
        raise AssertionError

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self.engine, self._channel = request.address, None
        return Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.provider.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetSchemaResponse:
        import json

        schema = {
            "name": self.provider.name,
            "version": self.provider.version,
            "resources": {token: {} for token in self.provider.resources},
        }
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self.api.cancelled.set()
        return Empty()

    # ---- configuration

    @_answering
    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        return self._checked(self.provider.check_config(from_struct(request.news)))

    @_answering
    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse()  # "unknown", as recorded: the engine compares the inputs itself

    @_answering
    def Configure(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        self.provider.configure(from_struct(request.args), self.api)
        self.log("debug", f"{self.provider.name}: the offline plugin of this project, for loopback endpoints only")
        return provider_pb2.ConfigureResponse(
            supportsPreview=True,
            acceptResources=self.provider.accept_resources,
            supports_autonaming_configuration=True,
        )

    # ---- resources

    @_answering
    def Check(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        name = request.name or request.urn.rsplit("::", 1)[-1]
        resource = self._resource(request.urn)
        return self._checked(
            resource.check(name, request.randomSeed, from_struct(request.olds), from_struct(request.news)), request.urn
        )

    @_answering
    def Diff(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        diffed = self._resource(request.urn).diff(
            request.id,
            _known(from_struct(request.olds)),
            from_struct(request.old_inputs),
            from_struct(request.news),
            list(request.ignoreChanges),
        )
        return _diff_response(diffed)

    @_answering
    def Create(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        resource, news = self._resource(request.urn), from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(resource.preview_create(news)))
        name = request.name or request.urn.rsplit("::", 1)[-1]
        id, props = resource.create(self.api, name, news, request.timeout or None)
        return provider_pb2.CreateResponse(id=id, properties=to_struct(props))

    @_answering
    def Update(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        resource = self._resource(request.urn)
        olds, old_inputs = _known(from_struct(request.olds)), from_struct(request.old_inputs)
        news = from_struct(request.news)
        if request.preview:
            props = resource.preview_update(request.id, olds, old_inputs, news)
        else:
            props = resource.update(self.api, request.id, olds, old_inputs, news, request.timeout or None)
        return provider_pb2.UpdateResponse(properties=to_struct(props))

    @_answering
    def Read(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        olds, old_inputs = _known(from_struct(request.properties)), from_struct(request.inputs)
        read = self._resource(request.urn).read(self.api, request.id, olds or None, old_inputs or None)
        if read is None:
            return provider_pb2.ReadResponse()
        id, props, inputs = read
        return provider_pb2.ReadResponse(id=id, properties=to_struct(props), inputs=to_struct(inputs))

    @_answering
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._resource(request.urn).delete(self.api, request.id, _known(from_struct(request.properties)))
        return Empty()

    # ---- helpers

    def _resource(self, urn: str) -> Resource:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        if token in self.provider.resources:
            return self.provider.resources[token]
        raise ProviderError(
            f"The offline {self.provider.name} plugin does not support {token}. "
            "Fix: run `oracle up --plugins official`.",
            "UNIMPLEMENTED",
        )

    def _checked(self, checked: Checked, urn: str = "") -> provider_pb2.CheckResponse:
        for warning in checked.warnings:
            self.log("warning", warning, urn)
        return provider_pb2.CheckResponse(
            inputs=to_struct(checked.inputs),
            failures=[provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in checked.failures],
        )

    def fail_init(self, error: InitFailed, prefix: str, context: grpc.ServicerContext) -> NoReturn:
        """End the call with the state of a half-made resource in the error's details."""
        reasons = [prefix + reason for reason in error.reasons]
        detail = provider_pb2.ErrorResourceInitFailed(id=error.id, properties=to_struct(error.props), reasons=reasons)
        if error.inputs is not None:
            detail.inputs.CopyFrom(to_struct(error.inputs))
        packed = AnyMessage()
        packed.Pack(detail)
        code, text = grpc.StatusCode.UNKNOWN, "; ".join(reasons)
        status = status_pb2.Status(code=code.value[0], message=text, details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, text)
        raise AssertionError

    def log(self, severity: str, text: str, urn: str = "") -> None:
        """Show a message to the user through the engine; without an engine (tests, --help) drop it."""
        if not self.engine:
            return
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.engine)
        send = self._channel.unary_unary(
            "/pulumirpc.Engine/Log",
            request_serializer=engine_pb2.LogRequest.SerializeToString,
            response_deserializer=Empty.FromString,
        )
        try:
            send(engine_pb2.LogRequest(severity=_SEVERITIES[severity], message=text, urn=urn), timeout=5)
        except grpc.RpcError:
            return  # a message that nobody receives must not fail its call


def _diff_response(diffed: Diffed) -> provider_pb2.DiffResponse:
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diffed.changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=diffed.diffs,
        replaces=diffed.replaces,
        stables=diffed.stables,
        deleteBeforeReplace=diffed.delete_before_replace,
        hasDetailedDiff=diffed.detailed is not None,
    )
    for path, kind in (diffed.detailed or {}).items():
        response.detailedDiff[path].kind = int(kind)  # type: ignore[assignment]
    return response


def start(provider: Provider, engine: str) -> tuple[grpc.Server, int]:
    """Start a server on a free loopback port; return both."""
    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    # A thread per call: creates wait for deployments, and the engine handles resources in parallel.
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve(provider: Provider, engine: str, until_gone: Callable[[], object] | None = None) -> None:
    """Serve until the process that started this one has ended; print the port, as the engine expects of a plugin.

    `until_gone` returns at that time; by default it checks the parent.

    The engine interrupts its plugins one after another, waits for the end of each, and has five seconds for all of them
    together; later ones are reported as "exited prematurely" (`ReleaseContext` in the engine's host.go, 3.259). So an
    interrupt ends this process at once, like a plugin written in Go. Stopping a gRPC server, joining its threads and
    ending an interpreter take seconds on a busy machine, and the engine has no call in progress then.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    until_gone = until_gone or _parent_watch()
    _server, port = start(provider, engine)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    until_gone()
    os._exit(0)  # at once: calls in progress have no receiver, and their threads would be joined otherwise


def _parent_watch() -> Callable[[], None]:
    """Return a function that waits until the parent changes: an engine that was killed has not ended its plugins."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)

    return watch
