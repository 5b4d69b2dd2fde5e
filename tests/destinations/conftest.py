"""Fixtures of this room: a receiver, the way to it, and an authority of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.destinations.certificates import Authority, make_authority
from tests.destinations.s3_server import Bucket, S3Server, running_s3
from tests.destinations.ways import OPENED, Way
from tests.receivers import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Close every way and destination that a test has opened."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def way() -> Way:
    """An adapter that may go to loopback."""
    return Way()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_for_boto3_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever this machine tells boto3 (credentials, profiles, endpoints), the tests do not hear it."""
    nowhere = tmp_path_factory.mktemp("aws") / "none"
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        environment.setenv("AWS_CONFIG_FILE", str(nowhere))
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    return s3.new_bucket()
