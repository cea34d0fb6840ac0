from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("access.urls")),
    path("", include("devices.urls")),
]

handler400 = "access.views.errors.bad_request"
handler403 = "access.views.errors.forbidden"
handler404 = "access.views.errors.not_found"
handler500 = "access.views.errors.server_error"
