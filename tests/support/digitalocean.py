"""DigitalOcean's own Python client, on a local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from azure.core.pipeline import PipelineRequest
    from pydo import Client


def pydo_client(endpoint: str, token: str) -> Client:
    """The client of an account; `endpoint` is the local cloud's control plane."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from pydo import Client

    class PlainBearer(SansIOHTTPPolicy[Any, Any]):
        """The bearer token without TLS, which the client's own policy refuses; all here stays on loopback."""

        def on_request(self, request: PipelineRequest[Any]) -> None:
            request.http_request.headers["authorization"] = f"Bearer {token}"

    return Client(token, endpoint=endpoint, authentication_policy=PlainBearer())
