"""Error responses: the envelope with success false and [{code, message}].

Codes are Cloudflare's where its documentation, its clients or the recordings show them. An error that a retry would not
change carries `x-should-retry: false`; without it, clients retry 409 and others for minutes.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """A response other than success."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """Build the response."""
        return failure(self.status, self.code, self.message)


def failure(status: int, code: int, message: str, final: bool = True) -> Response:
    """Build an error envelope; clients may retry only when it is not `final`."""
    body: dict[str, Any] = {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
    return JSONResponse(body, status, {"x-should-retry": "false"} if final else {"retry-after": "1"})


def no_credentials() -> ApiError:
    return ApiError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")


def authentication() -> ApiError:
    return ApiError(403, 10000, "Authentication error")


def no_route(path: str) -> ApiError:
    return ApiError(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")


def no_method(method: str) -> ApiError:
    return ApiError(405, 7001, f"Method {method} not available for that URI.")


def no_worker() -> ApiError:
    return ApiError(404, 10007, "This Worker does not exist on your account.")


def bad_name(name: str) -> ApiError:
    rule = "lower-case letters, digits, dashes and underscores, at most 63, beginning and ending with a letter or digit"
    return ApiError(400, 10016, f"Invalid Worker name {name!r}: {rule}.")


def bad_body(why: str) -> ApiError:
    return ApiError(400, 10026, f"Could not parse request body: {why}")


def invalid(why: str) -> ApiError:
    """Build the error of an invalid upload."""
    return ApiError(400, 10021, why)


def name_taken(binding: str) -> ApiError:
    message = f"Binding name '{binding}' already in use. Please use a different name and try again."
    return ApiError(400, 10053, message)


def no_binding(binding: str) -> ApiError:
    return ApiError(404, 10056, f"Binding '{binding}' not found.")


def no_version(version: str) -> ApiError:
    return ApiError(404, 100146, f"Version {version} could not be found.")


def no_zone(name: str) -> ApiError:
    return ApiError(404, 1001, f"Zone {name} could not be found.")


def no_versions(name: str) -> ApiError:
    """Build the error for a Worker without a version."""
    return ApiError(404, 10222, f"Worker {name} has no versions.")
