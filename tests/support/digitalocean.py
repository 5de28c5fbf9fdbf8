"""DigitalOcean's own Python client, on a local cloud."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from pydo import Client


def pydo_client(endpoint: str, token: str) -> Client:
    """The client of an account; `endpoint` is the local cloud's control plane."""
    return Client(token, endpoint=endpoint, authentication_policy=PlainBearer(token))


class PlainBearer(SansIOHTTPPolicy[Any, Any]):
    """The bearer token without TLS, which the client's own policy refuses; all here stays on loopback."""

    def __init__(self, token: str) -> None:
        self._token = token

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Sign it."""
        request.http_request.headers["authorization"] = f"Bearer {self._token}"
