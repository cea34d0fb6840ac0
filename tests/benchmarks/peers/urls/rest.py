from django.urls import path

from tests.benchmarks.peers.rest import DeviceDetail, DeviceList

urlpatterns = [
    path("api/v1/devices", DeviceList.as_view()),
    path("api/v1/devices/<uuid:device_id>", DeviceDetail.as_view()),
]
