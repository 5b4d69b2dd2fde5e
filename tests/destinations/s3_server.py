"""A real S3-speaking server on loopback that checks signatures: moto's, in threads of this process."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3.session
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from bridge.clock import new_id
from bridge.settings.model import Secret

REGION = "eu-central-1"
_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


class S3Server:
    """`stop` and `start` are an outage: port and buckets stay."""

    def __init__(self) -> None:
        self._port = 0
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self.access_key = self.secret_key = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", self._port, application, threaded=True)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        assert self._server
        assert self._thread
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def check_signatures(self) -> None:
        """From now on only who has `access_key` and `secret_key` may do anything."""
        iam = self._client("iam")
        iam.create_user(UserName="bridge")
        iam.put_user_policy(UserName="bridge", PolicyName="lake", PolicyDocument=json.dumps(_POLICY))
        made = iam.create_access_key(UserName="bridge")["AccessKey"]
        self.access_key, self.secret_key = made["AccessKeyId"], made["SecretAccessKey"]
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"0", timeout=5).raise_for_status()

    def new_bucket(self) -> Bucket:
        return Bucket(self, self._s3)

    @cached_property
    def _s3(self) -> Any:
        return self._client("s3")

    def _client(self, service: str) -> Any:
        session = boto3.session.Session(self.access_key or "anybody", self.secret_key or "anything")
        return session.client(service, region_name=REGION, endpoint_url=self.url)


class Bucket:
    """A bucket of one test, and what a destination needs to know of it."""

    def __init__(self, server: S3Server, client: Any) -> None:
        self._client = client
        self.name = f"lake-{new_id()}"
        client.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.settings: dict[str, Any] = {
            "bucket": self.name,
            "endpoint_url": server.url,
            "region": REGION,
            "access_key": Secret(server.access_key),
            "secret_key": Secret(server.secret_key),
        }

    def object_keys(self) -> list[str]:
        return [found["Key"] for found in self._client.list_objects_v2(Bucket=self.name).get("Contents", ())]

    def read(self, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def events(self) -> list[Any]:
        """What is in it, line by line."""
        return [json.loads(line) for key in self.object_keys() for line in gzip.decompress(self.read(key)).splitlines()]


@contextmanager
def running_s3() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    server.check_signatures()
    try:
        yield server
    finally:
        requests.post(f"{server.url}/moto-api/reset-auth", data=b"Infinity", timeout=5)
        server.stop()
