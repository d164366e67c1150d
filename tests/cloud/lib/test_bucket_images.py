"""Images read from a bucket: what is tried again, and Google Cloud Storage as gcp-storage-emulator plays it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("apache_beam", reason="Apache Beam is not installed (requirements-beam.txt)")

from cloud.lib import beam_support, bucket_images
from scripts.lib.core.http import DownloadError, DownloadLimits


@pytest.mark.parametrize(("error", "tries"), [(FileNotFoundError(), 1), (PermissionError("no"), 3), (OSError("x"), 3)])
def test_a_missing_file_is_not_tried_again(monkeypatch, error, tries):
    calls = []

    def failing(*_):
        calls.append(1)
        raise error

    monkeypatch.setattr(beam_support, "read_bytes", failing)
    with pytest.raises(DownloadError):
        bucket_images.fetch("bucket://a.jpg", DownloadLimits(retries=2, pause=0))
    assert len(calls) == tries


@pytest.fixture
def emulator(monkeypatch):
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


def test_a_photo_is_read_at_once(shop, monkeypatch):
    monkeypatch.setattr(bucket_images, "_local", SimpleNamespace(client=shop.client))
    shop.blob("photos/größe 1.png").upload_from_string(b"0123456789")
    shop.blob("empty.png").upload_from_string(b"")
    limits = DownloadLimits(max_bytes=10, retries=0)
    assert bucket_images.fetch("gs://shop/photos/größe 1.png", limits) == b"0123456789"
    assert bucket_images.fetch("gs://shop/empty.png", limits) == b""
    with pytest.raises(DownloadError, match="there is no such image"):
        bucket_images.fetch("gs://shop/none.png", limits)
    with pytest.raises(DownloadError, match="has more than"):
        bucket_images.fetch("gs://shop/photos/größe 1.png", DownloadLimits(max_bytes=9, retries=0))
