"""The devices with Django REST framework. The settings say who may call."""

from typing import Any

from rest_framework import generics, pagination, serializers
from rest_framework.response import Response

from tests.benchmarks.peers.models import RELATED, SPACED, ZULU, Device, User


class Pages(pagination.LimitOffsetPagination):
    """A bare array, with the number of all rows and the neighbours in headers."""

    default_limit = max_limit = 300

    def get_paginated_response(self, data: Any) -> Any:
        links = f'<{self.get_next_link()}>; rel="next", <{self.get_previous_link()}>; rel="prev"'
        return Response(data, headers={"X-Total-Count": str(self.count), "Link": links})


class UserSerializer(serializers.ModelSerializer):
    id = serializers.UUIDField(source="uuid")

    class Meta:
        model = User
        fields = ["email", "name", "id", "is_archived"]


class DeviceSerializer(serializers.ModelSerializer):
    last_check_in = serializers.DateTimeField(format=ZULU)
    user = UserSerializer()
    blueprint_id = serializers.UUIDField(source="blueprint.uuid")
    first_enrollment = serializers.DateTimeField(format=SPACED)
    last_enrollment = serializers.DateTimeField(format=SPACED)
    blueprint_name = serializers.CharField(source="blueprint.name")
    tags = serializers.SlugRelatedField(many=True, read_only=True, slug_field="name")

    class Meta:
        model = Device
        fields = [
            "device_id",
            "device_name",
            "model",
            "serial_number",
            "platform",
            "os_version",
            "supplemental_build_version",
            "supplemental_os_version_extra",
            "last_check_in",
            "user",
            "asset_tag",
            "blueprint_id",
            "mdm_enabled",
            "agent_installed",
            "is_missing",
            "is_removed",
            "agent_version",
            "first_enrollment",
            "last_enrollment",
            "blueprint_name",
            "lost_mode_status",
            "tags",
            "api_level",
            "security_patch_level",
            "full_software_version",
        ]


class DeviceList(generics.ListAPIView):
    pagination_class = Pages
    queryset = Device._default_manager.select_related(*RELATED).prefetch_related("tags")
    serializer_class = DeviceSerializer


class DeviceDetail(generics.RetrieveAPIView):
    queryset = Device._default_manager.select_related(*RELATED).prefetch_related("tags")
    serializer_class = DeviceSerializer
    lookup_field = "device_id"
