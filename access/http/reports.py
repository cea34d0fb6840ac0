"""What an error report may show."""

from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class ReportFilter(SafeExceptionReporterFilter):
    """Keeps every value of a variable, a form and a cookie out of error reports; their names and the traceback stay.

    A PIN, a password or a token can be in any variable of any function that it passes through, so that a list of
    sensitive ones would always miss some. Only with DEBUG are values shown.
    """

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return self._without_values(request, super().get_post_parameters(request))

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return self._without_values(request, super().get_safe_cookies(request))

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        if not self.is_active(request):
            return super().get_traceback_frame_variables(request, tb_frame)
        return [(name, self.cleansed_substitute) for name in tb_frame.f_locals]

    def _without_values(self, request: HttpRequest | None, values: Any) -> dict[str, Any]:
        return dict.fromkeys(values, self.cleansed_substitute) if self.is_active(request) else values
