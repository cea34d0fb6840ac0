from devices.api import api

urlpatterns = api.urls()
