"""The stand-in for Google Cloud, with the real gcloud led to it."""

from __future__ import annotations

import pytest

from cloud.lib import gcloud, submitted
from tests.cloud import google_cloud_stub


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with google_cloud_stub.running(tmp_path_factory.mktemp("gcloud")) as (cloud, environment):
        yield cloud, environment


@pytest.fixture
def cloud(server, tmp_path, monkeypatch):
    """The stand-in, with nothing in it but a bucket, and gcloud led there; jobs are remembered in tmp_path."""
    if not gcloud.is_installed():
        pytest.skip("gcloud is not installed")
    cloud, environment = server
    url = cloud.url
    cloud.__init__()
    cloud.url = url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path / "jobs")
    return cloud


@pytest.fixture
def emulator(monkeypatch):
    """Google Cloud Storage, as gcp-storage-emulator plays it."""
    server = pytest.importorskip("gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed")
    pytest.importorskip("google.cloud.storage", reason="google-cloud-storage is not installed (apache-beam[gcp])")
    running = server.create_server("127.0.0.1", 0, in_memory=True, default_bucket="shop")
    running.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{running._api._httpd.server_address[1]}")
    yield running
    running.stop()


@pytest.fixture
def shop(emulator):
    """The emulator's bucket, gs://shop."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    return storage.Client(project="demo", credentials=AnonymousCredentials()).bucket("shop")
