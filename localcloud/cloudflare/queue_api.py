"""Queues, consumers and messages over HTTP."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.cloudflare.api import Api
from localcloud.cloudflare.errors import ApiError, bad_body
from localcloud.cloudflare.queues import Consumer, Queue
from localcloud.cloudflare.responses import body, listing, ok

Json = Any


async def queues(request: Request, api: Api) -> Response:
    """List the queues."""
    name = request.query_params.get("name")
    return listing(request, [_shape(api, each) for each in api.queues.all() if name in (None, each.name)])


async def add_queue(request: Request, api: Api) -> Response:
    """Create a queue: {"queue_name", "settings"?}."""
    fields = await body(request)
    return ok(_shape(api, await api.queues.save(None, str(fields.get("queue_name") or ""), _settings(fields))))


async def queue(request: Request, api: Api) -> Response:
    """Show a queue."""
    return ok(_shape(api, api.queues.get(_id(request))))


async def change_queue(request: Request, api: Api) -> Response:
    """Change a queue: {"queue_name"?, "settings"?}."""
    fields = await body(request)
    return ok(_shape(api, await api.queues.save(_id(request), fields.get("queue_name"), _settings(fields))))


async def drop_queue(request: Request, api: Api) -> Response:
    """Delete a queue with its messages."""
    await api.queues.drop(_id(request))
    return ok(None)


async def consumers(request: Request, api: Api) -> Response:
    """List a queue's consumers."""
    found = api.queues.consumer(_id(request))
    return ok([_consumer(api, found)] if found else [])


async def add_consumer(request: Request, api: Api) -> Response:
    """Add a consumer: {"type": "worker", "script_name", "dead_letter_queue"?, "settings"?}."""
    return ok(await _consume(request, api, None))


async def consumer(request: Request, api: Api) -> Response:
    """Show a consumer."""
    return ok(_consumer(api, _known(request, api)))


async def change_consumer(request: Request, api: Api) -> Response:
    """Change a consumer, with the same fields."""
    return ok(await _consume(request, api, _known(request, api)))


async def drop_consumer(request: Request, api: Api) -> Response:
    """Remove a consumer; messages stay."""
    await api.queues.leave(_known(request, api))
    return ok(None)


async def send(request: Request, api: Api) -> Response:
    """Send a message: {"body", "content_type"?: text or json, "delay_seconds"?}."""
    await api.queues.send(_id(request), [_message(await body(request))])
    return ok(None)


async def send_batch(request: Request, api: Api) -> Response:
    """Send messages: {"messages": [the same]}."""
    messages = (await body(request)).get("messages")
    if not isinstance(messages, list):
        raise bad_body("messages is missing or no list")
    await api.queues.send(_id(request), [_message(message) for message in messages])
    return ok(None)


async def _consume(request: Request, api: Api, known: Consumer | None) -> Json:
    wanted = await body(request)
    if wanted.get("type") != "worker":
        raise bad_body('only consumers of the type "worker" are supported here')
    name = str(wanted.get("script_name") or (known.script if known else ""))
    api.queues.get(_id(request))
    version = api.workers.running(api.workers.script(name).name)
    dead = str(wanted.get("dead_letter_queue") or "")
    return _consumer(api, await api.queues.consume(_id(request), version, dead, _settings(wanted), known))


def _message(message: Json) -> tuple[str, bytes, float | None]:
    if not isinstance(message, dict) or "body" not in message:
        raise ApiError(400, 10207, "a message needs a body")
    kind = message.get("content_type", "text" if isinstance(message["body"], str) else "json")
    try:
        content = {
            "text": lambda: str(message["body"]).encode(),
            "json": lambda: json.dumps(message["body"]).encode(),
            "bytes": lambda: base64.b64decode(message["body"], validate=True),
        }[kind]()
    except (KeyError, TypeError, binascii.Error):
        raise ApiError(400, 10207, "content_type must be text, json, or bytes with a body in base64") from None
    return kind, content, message.get("delay_seconds")


def _settings(fields: dict[str, Json]) -> dict[str, Json]:
    settings = fields.get("settings") or {}
    if not isinstance(settings, dict):
        raise bad_body("settings is no object")
    return settings


def _known(request: Request, api: Api) -> Consumer:
    found = api.queues.consumer(_id(request), request.path_params["consumer"])
    assert found
    return found


def _id(request: Request) -> str:
    identifier: str = request.path_params["queue"]
    return identifier


def _shape(api: Api, queue: Queue) -> Json:
    consumer = api.queues.consumer(queue.id)
    consumers = [_consumer(api, consumer)] if consumer else []
    producers = [{"type": "worker", "script": name} for name in api.workers.producers(queue.name)]
    return {
        "queue_id": queue.id,
        "queue_name": queue.name,
        "created_on": queue.created_on,
        "modified_on": queue.modified_on,
        "settings": queue.settings,
        "consumers": consumers,
        "consumers_total_count": len(consumers),
        "producers": producers,
        "producers_total_count": len(producers),
    }


def _consumer(api: Api, consumer: Consumer) -> Json:
    return {
        "consumer_id": consumer.id,
        "type": "worker",
        "script": consumer.script,
        "queue_name": api.queues.get(consumer.queue).name,
        "dead_letter_queue": consumer.dead_letter_queue,
        "created_on": consumer.created_on,
        "settings": {name: value for name, value in consumer.settings.items() if value is not None},
    }
