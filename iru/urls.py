from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("access.urls")),
    path("", include("devices.urls")),
]

handler400 = "access.http.errors.bad_request"
handler403 = "access.http.errors.forbidden"
handler404 = "access.http.errors.not_found"
handler500 = "access.http.errors.server_error"
