"""Operations of the API. The route, the guard, the permission and the reference entry come from one declaration."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cached_property, partial
from typing import Any, Literal, cast, get_type_hints
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.utils.http import http_date
from pydantic import TypeAdapter

from access.context import note_operation
from access.database import retried
from access.http.requests import RoutedRequest
from access.permissions import Permission, Section, catalogue
from access.tokens.authentication import Beside, PermissionMissing
from access.tokens.digests import SHAPE
from access.tokens.usage import count_call
from devices.api import errors, idempotency
from devices.api.identity import ApiRequest, identify, is_active, with_limits
from devices.api.parsing import body_of, form_of, query_of
from devices.api.rendering import JSON, ResponseWithHeaders, json_text, no_content
from devices.api.uploads import MULTIPART, Upload, UploadLimits, require_files, upload_of
from devices.inputs import Body, Query

type Handler = Callable[..., Any]
type Method = Literal["GET", "POST", "PATCH", "DELETE"]


ANYTHING = "{}"  # stands for a parameter in the parts of a path
WITH_HEAD = {"GET": ["GET", "HEAD"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """The parts of a declaration that only the OpenAPI document reads.

    `answer` describes the response beyond its schema, and `headers` each header of it. `media_type` is that of an
    HttpResponse that the handler makes itself. `refuses`: a GET can answer 400 although it takes no parameters.
    `parameters` describes those of the path that openapi.PATH_PARAMETERS does not describe, or not for this operation.
    """

    answer: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON
    refuses: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Declares that an operation has a successor, the operation `instead`. `sunset` may set its end."""

    since: date
    instead: str
    sunset: date | None = None

    def headers(self) -> dict[str, str]:
        """`Deprecation` as RFC 9745 has it, and `Sunset` as RFC 8594 has it."""
        headers = {"Deprecation": f"@{_midnight(self.since)}"}
        if self.sunset:
            headers["Sunset"] = http_date(_midnight(self.sunset))
        return headers


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, as declared. Without `permission` any valid token may call it; `open` needs no token.

    `ours`: the public API does not have it.
    """

    id: str
    method: Method
    path: str
    label: str
    about: str
    handler: Handler
    status: int
    permission: Permission | None
    open: bool
    query: type[Query] | None
    body: type[Body] | None
    forms: bool
    upload: UploadLimits | None
    creates: bool
    asks_elsewhere: bool
    ours: bool
    deprecated: Deprecation | None
    uuids: tuple[str, ...]
    beside: Callable[[UUID], Beside] | None
    adapter: TypeAdapter[Any] | None = field(repr=False)
    doc: Doc

    def beside_token(self, parameters: dict[str, str]) -> Beside | None:
        """What a call with these path parameters reads in the statement that finds its token."""
        if self.beside is None or not SHAPE.fullmatch(text := parameters[self.uuids[0]]):
            return None
        return self.beside(UUID(text))

    def respond(self, result: Any) -> HttpResponse:
        """The response for what the handler returned."""
        response = self._response(result)
        if self.deprecated:
            for name, value in self.deprecated.headers().items():
                response.headers[name] = value
        return response

    def _response(self, result: Any) -> HttpResponse:
        if isinstance(result, HttpResponse):
            return result
        if self.adapter is None:
            return no_content(self.status)
        headers = None
        if isinstance(result, ResponseWithHeaders):
            result, headers = result
        response = json_text(self.adapter.dump_json(result), headers)
        response.status_code = self.status
        return response


class Endpoint:
    """Every operation of one path, behind the guard."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.operations: dict[str, Operation] = {}
        self.parts = tuple(re.sub(r"{\w+}", ANYTHING, part) for part in path.strip("/").split("/"))
        names = [part.strip("{}") for part in path.strip("/").split("/")]
        self.parameters = tuple((index, names[index]) for index, part in enumerate(self.parts) if part == ANYTHING)

    @cached_property
    def allow(self) -> str:
        """The methods of the path, as the `Allow` header lists them."""
        return ", ".join(method for known in self.operations for method in WITH_HEAD.get(known, [known]))

    def answer(self, request: ApiRequest, parameters: dict[str, str]) -> HttpResponse:
        response = self._answer(request, parameters)
        response.headers["Allow"] = self.allow  # like the public API; of the errors, only the 405 has it
        return response

    def _answer(self, request: ApiRequest, parameters: dict[str, str]) -> HttpResponse:
        operation = self._guard(request, parameters)
        if request.encoding not in {None, "utf-8"}:
            # Query strings and forms are UTF-8. Django reads both by the charset that Content-Type names, or fails.
            request.encoding = "utf-8"
        arguments: dict[str, Any] = parameters
        for name in operation.uuids:
            # A value that is no UUID is the id of no object.
            if not SHAPE.fullmatch(parameters[name]):
                raise errors.not_found()
            arguments[name] = UUID(parameters[name])
        if operation.query is not None:
            arguments["query"] = query_of(request, operation.query)
        if operation.upload is not None:
            return self._take_upload(request, operation, operation.upload, arguments)
        if operation.body is not None:
            arguments["body"] = body_of(request, operation.body, forms=operation.forms)
        return self._call(request, operation, arguments)

    def _take_upload(
        self, request: ApiRequest, operation: Operation, limits: UploadLimits, arguments: dict[str, Any]
    ) -> HttpResponse:
        if operation.forms and operation.body and request.content_type != MULTIPART:
            arguments["body"] = body_of(request, operation.body, forms=True)
            require_files(limits, ())
            arguments["upload"] = Upload(QueryDict(), {})
            return self._call(request, operation, arguments)
        with upload_of(request, limits) as upload:
            arguments["upload"] = upload
            if operation.body is not None:
                arguments["body"] = form_of(upload.fields, operation.body)
            return self._call(request, operation, arguments)

    def _call(self, request: ApiRequest, operation: Operation, arguments: dict[str, Any]) -> HttpResponse:
        def respond() -> HttpResponse:
            # An upload can be read once, and another server must not be asked twice.
            if operation.upload is not None or operation.asks_elsewhere:
                return operation.respond(operation.handler(request, **arguments))
            return operation.respond(retried(partial(operation.handler, request, **arguments)))

        header = request.headers.get(idempotency.HEADER) if operation.creates else None
        if header is None:
            return respond()
        key = idempotency.key_of(
            header, tenant=request.tenant, token_id=request.token.id, operation=operation.id, arguments=arguments
        )
        return key.answer(respond, asks_elsewhere=operation.asks_elsewhere)

    def _guard(self, request: ApiRequest, parameters: dict[str, str]) -> Operation:
        # This order is a promise: nothing is parsed for a caller without a token, or without the permission. The only
        # exception is an id in the path, because its object is read beside the token.
        method = "GET" if request.method == "HEAD" else str(request.method)
        operation = self.operations.get(method)
        if operation:
            note_operation(operation.id)
        if not (operation or next(iter(self.operations.values()))).open:
            if not hasattr(request, "token"):  # another door has identified the sender already
                beside = operation.beside_token(parameters) if operation else None
                identify(request, operation.id if operation else "", beside)
        elif request.subdomain is not None and not is_active(request.subdomain):
            raise errors.tenant_not_found()
        if operation is None:
            raise errors.method_not_allowed(method, self.allow)
        if operation.open:
            return operation
        denied = operation.permission is not None and operation.permission.codename not in request.token.permissions
        if not request.token.trial:
            count_call(request.token.id, operation.id, denied=denied)
        if operation.permission is not None and denied:
            raise PermissionMissing(operation.permission, request.token.id)
        request.actor = request.token.actor(operation.permission)
        return operation


class Router:
    """Declares operations of one section, or without a section operations that need no permission.

    Several routers may declare operations of the same section.
    """

    def __init__(self, section: Section | None = None, *, prefix: str = "/api/v1") -> None:
        self.section = section
        self.prefix = prefix
        self.operations: list[Operation] = []

    def operation[H: Handler](
        self,
        method: Method,
        path: str,
        *,
        id: str,
        label: str,
        about: str,
        response: Any = None,
        status: int = 200,
        sensitive: bool = False,
        open: bool = False,
        forms: bool = False,
        body: type[Body] | None = None,
        upload: UploadLimits | None = None,
        creates: bool | None = None,
        asks_elsewhere: bool = False,
        ours: bool = False,
        deprecated: Deprecation | None = None,
        beside: Callable[[UUID], Beside] | None = None,
        doc: Doc = Doc(),
    ) -> Callable[[H], H]:
        """Declare the decorated function as an operation.

        Its parameters are the request, then those of the path by their names (a `UUID` that is not one answers 404),
        then `query` and `body`, typed by what they are parsed as. It returns a `response`, a ResponseWithHeaders, None
        for no body, or an HttpResponse that is ready. `open` needs no token; without a section it needs a token but no
        permission. With `forms` the body may also come as a form with dotted names. `body` is for a handler that cannot
        name its type, because one function serves several operations.

        With `upload` the body is a multipart form that streams to disk. The handler's `upload: Upload` has its files,
        and a `body` is parsed from its fields. With `forms` as well, a body without files may have any supported type.

        `creates`: a repeated call would create a second object, so the call may carry an Idempotency-Key. This is the
        default for a POST that answers 201. `asks_elsewhere`: the handler calls another server before it stores
        anything, and no transaction may be open during that call. `ours` marks an addition to the public API.

        `beside`: what a call reads in the statement that finds its token, of the object that the path names. The
        handler finds it in `request.token.beside`, which is None for a call through another door.
        """

        def declare(handler: H) -> H:
            full_path = self.prefix + path
            permission = None
            if self.section and not open:
                permission = Permission(id, label, method, full_path, about, sensitive)
            hints = get_type_hints(handler)
            if ("upload" in hints) != (upload is not None):
                raise ValueError(f"{id} declares upload= and takes `upload`, or neither.")
            self.operations.append(
                Operation(
                    id=id,
                    method=method,
                    path=full_path,
                    label=label,
                    about=about,
                    handler=handler,
                    status=status,
                    permission=permission,
                    open=open,
                    query=hints.get("query"),
                    body=body or hints.get("body"),
                    forms=forms,
                    upload=upload,
                    creates=method == "POST" and status == 201 if creates is None else creates,
                    asks_elsewhere=asks_elsewhere,
                    ours=ours,
                    deprecated=deprecated,
                    uuids=tuple(name for name in inspect.signature(handler).parameters if hints.get(name) is UUID),
                    beside=beside,
                    adapter=TypeAdapter(response) if response is not None else None,
                    doc=doc,
                )
            )
            return handler

        return declare


class Api:
    """All routers. Their order is the order of the permission catalogue, which they fill.

    HostMiddleware calls it with every request for the API. It answers paths that are none of its own with a JSON 404,
    and every exception in JSON. It reads no cookie, so a foreign page cannot act in its visitor's name (CSRF).
    """

    def __init__(self, *routers: Router) -> None:
        self.operations = [operation for router in routers for operation in router.operations]
        for router in routers:
            for operation in router.operations:
                if router.section is not None and operation.permission is not None:
                    catalogue.add(router.section, operation.permission)
        self.endpoints: dict[tuple[str, ...], Endpoint] = {}
        for operation in self.operations:
            path = operation.path.rstrip("/")
            endpoint = Endpoint(path)
            endpoint = self.endpoints.setdefault(endpoint.parts, endpoint)
            if endpoint.path != path:
                raise ValueError(f"{path} and {endpoint.path} are one path with two names for a parameter.")
            if operation.method in endpoint.operations:
                raise ValueError(f"{operation.method} {path} is declared twice.")
            endpoint.operations[operation.method] = operation
        # By the number of parts of a path: the positions of its parameters. Literal parts come first, so that no
        # parameter matches them.
        self._positions: dict[int, list[tuple[int, ...]]] = {}
        for parts in sorted(self.endpoints, key=lambda parts: [part == ANYTHING for part in parts]):
            positions = tuple(index for index, part in enumerate(parts) if part == ANYTHING)
            if positions not in self._positions.setdefault(len(parts), []):
                self._positions[len(parts)].append(positions)

    def __call__(self, request: RoutedRequest) -> HttpResponse:
        called = cast("ApiRequest", request)
        try:
            response = self._answer(called)
        except Exception as error:  # noqa: BLE001 - every error is answered in JSON
            response = errors.answer(request, error).response()
        return with_limits(called, response)

    def call(self, operation: Operation, request: ApiRequest, parameters: dict[str, str]) -> HttpResponse:
        """The answer of this operation to a request that another door has made, with its path parameters.

        The path of such a request is not routed again: a value in it cannot lead to another operation.
        """
        endpoint = self.endpoints[Endpoint(operation.path.rstrip("/")).parts]
        try:
            return endpoint.answer(request, parameters)
        except Exception as error:  # noqa: BLE001 - every error is answered in JSON
            return errors.answer(request, error).response()

    def path_parameters(self, operation: Operation) -> list[str]:
        """The names of the parameters in the path of an operation."""
        return [name for _, name in Endpoint(operation.path).parameters]

    def _answer(self, request: ApiRequest) -> HttpResponse:
        # A dictionary finds the endpoint. Trying one URL pattern after the other takes longer than the token look-up.
        parts = request.path_info.removeprefix("/").split("/")
        if not parts[-1]:  # with or without a closing slash: a redirect would lose a POST's body
            del parts[-1]
        for positions in self._positions.get(len(parts), ()) if all(parts) else ():
            shape = list(parts)
            for position in positions:
                shape[position] = ANYTHING
            if endpoint := self.endpoints.get(tuple(shape)):
                return endpoint.answer(request, {name: parts[index] for index, name in endpoint.parameters})
        if request.subdomain is None or is_active(request.subdomain):
            raise errors.no_route()
        raise errors.tenant_not_found()
