from django.urls import path

from tests.benchmarks.peers.typed import api

urlpatterns = [path("api/v1/", api.urls)]
