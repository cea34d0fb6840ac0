from django.urls import re_path

from devices.api import api

urlpatterns = [re_path("", api)]
