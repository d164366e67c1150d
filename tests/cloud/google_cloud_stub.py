"""A stand-in for Google Cloud on loopback, which the real gcloud talks to: buckets, custom jobs, their logs, images.

Only what submit.py's commands ask for; the answers have the form of the REST references
(https://cloud.google.com/storage/docs/json_api, https://cloud.google.com/vertex-ai/docs/reference/rest).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

PROJECT = "demo"
REGION = "us-central1"
BUCKET = "apparel-demo"


class Cloud:
    """What the stub holds, and what it was asked.

    Attributes:
        buckets: name -> {"location", "locationType"}.
        objects: (bucket, name) -> content.
        jobs: the custom jobs that were created, as the request's body says, with name and state.
        images: tags of the image that the registry has.
        refusal: (HTTP status, status word, message) with which the creation of a job is refused, or None.
        asked: "METHOD /path" of every request.
    """

    def __init__(self):
        self.buckets = {BUCKET: {"location": REGION.upper(), "locationType": "region"}}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.jobs: list[dict] = []
        self.images = {"1"}
        self.refusal: tuple[int, str, str] | None = None
        self.asked: list[str] = []
        self.uploads: dict[str, tuple[str, str]] = {}

    def put(self, address: str, content: bytes) -> None:
        bucket, _, name = address.removeprefix("gs://").partition("/")
        self.objects[bucket, name] = content

    def get(self, address: str) -> bytes:
        bucket, _, name = address.removeprefix("gs://").partition("/")
        return self.objects[bucket, name]

    def addresses(self) -> set[str]:
        return {f"gs://{bucket}/{name}" for bucket, name in self.objects}


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Cloud, dict[str, str]]]:
    """Serves a `Cloud`; yields it and the environment with which gcloud goes there, without credentials.

    Args:
        folder: for gcloud's configuration and logs.
    """
    cloud = Cloud()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cloud": cloud}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    cloud.url = url
    services = {"AIPLATFORM": "", "LOGGING": "", "ARTIFACTREGISTRY": "", "STORAGE": "storage/v1/"}
    try:
        yield (
            cloud,
            {
                "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "1",
                "CLOUDSDK_CORE_PROJECT": PROJECT,
                "CLOUDSDK_CONFIG": str(folder),
                "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
                "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
                **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}": url + path for name, path in services.items()},
            },
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    cloud: Cloud
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self._body()
        url = urlsplit(self.path)
        self.cloud.asked.append(f"{self.command} {url.path}")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        for method, pattern, function in _ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match and method == self.command:
                return function(self, *map(unquote, match.groups()), query=query, body=body)
        self._refuse(404, "NOT_FOUND", f"the stub knows no {self.command} {self.path}")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = b""
        while size := int(self.rfile.readline(), 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def _answer(
        self, content: dict | list | bytes, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(data))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, code: int, status: str, message: str) -> None:
        self._answer({"error": {"code": code, "status": status, "message": message}}, code)

    def log_message(self, *arguments) -> None:
        pass

    # --- Storage

    def bucket(self, bucket: str, **_) -> None:
        if bucket not in self.cloud.buckets:
            return self._refuse(404, "notFound", "The specified bucket does not exist.")
        self._answer({"kind": "storage#bucket", "name": bucket, "id": bucket, **self.cloud.buckets[bucket]})

    def list_objects(self, bucket: str, query: dict, **_) -> None:
        if bucket not in self.cloud.buckets:
            return self._refuse(404, "notFound", "The specified bucket does not exist.")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        items, prefixes = [], set()
        for held, name in sorted(self.cloud.objects):
            if held == bucket and name.startswith(prefix):
                rest = name[len(prefix) :]
                if delimiter and delimiter in rest:
                    prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
                else:
                    items.append(self._metadata(bucket, name))
        self._answer({"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)})

    def get_object(self, bucket: str, name: str, query: dict, **_) -> None:
        content = self.cloud.objects.get((bucket, name))
        if content is None:
            return self._refuse(404, "notFound", f"No such object: {bucket}/{name}")
        if query.get("alt") != "media":
            return self._answer(self._metadata(bucket, name))
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not span:
            return self._answer(content)
        first, last = int(span[1]), min(int(span[2] or len(content)), len(content) - 1)
        headers = (("Content-Range", f"bytes {first}-{last}/{len(content)}"),)
        self._answer(content[first : last + 1], 206, headers)

    def upload(self, bucket: str, query: dict, body: bytes, **_) -> None:
        if query.get("uploadType") == "resumable":
            name = query.get("name") or json.loads(body)["name"]
            self.cloud.uploads[key := str(len(self.cloud.uploads))] = (bucket, name)
            return self._answer({}, headers=(("Location", f"{self.cloud.url}resumable/{key}"),))
        boundary = re.search(r"boundary=['\"]?([^'\";]+)", self.headers["Content-Type"])[1].encode()
        _, metadata, content, _ = body.split(b"--" + boundary)
        metadata, content = (re.split(rb"\r?\n\r?\n", part, maxsplit=1)[1] for part in (metadata, content))
        content = re.sub(rb"\r?\n\Z", b"", content)
        name = json.loads(metadata)["name"]
        self.cloud.objects[bucket, name] = content
        self._answer(self._metadata(bucket, name))

    def resumable(self, key: str, body: bytes, **_) -> None:
        self.cloud.objects[self.cloud.uploads[key]] = body
        self._answer(self._metadata(*self.cloud.uploads[key]))

    def _metadata(self, bucket: str, name: str) -> dict:
        content = self.cloud.objects[bucket, name]
        crc32c = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(content)),
            "crc32c": crc32c,
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "generation": "1",
            "metageneration": "1",
            "storageClass": "STANDARD",
            "contentType": "application/octet-stream",
            "timeCreated": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:00Z",
            "etag": "1",
            "mediaLink": f"{self.cloud.url}download/storage/v1/b/{bucket}/o/{name}?alt=media",
        }

    # --- Vertex AI, its logs, images

    def create_job(self, project: str, region: str, body: bytes, **_) -> None:
        if self.cloud.refusal:
            return self._refuse(*self.cloud.refusal)
        name = f"projects/{project}/locations/{region}/customJobs/{len(self.cloud.jobs) + 100}"
        job = {**json.loads(body), "name": name, "state": "JOB_STATE_PENDING", "createTime": "2026-01-01T10:00:00Z"}
        self.cloud.jobs.append(job)
        self._answer(job)

    def list_jobs(self, *_, **__) -> None:
        self._answer({"customJobs": self.cloud.jobs})

    def get_job(self, project: str, region: str, number: str, **_) -> None:
        for job in self.cloud.jobs:
            if job["name"].endswith(f"/{number}"):
                return self._answer(job)
        self._refuse(404, "NOT_FOUND", f"The customJobs {number} does not exist.")

    def cancel_job(self, project: str, region: str, number: str, **_) -> None:
        (job,) = (job for job in self.cloud.jobs if job["name"].endswith(f"/{number}"))
        job.update(state="JOB_STATE_CANCELLED", endTime="2026-01-01T11:00:00Z")
        self._answer({})

    def log_entries(self, **_) -> None:
        if sum("entries:list" in asked for asked in self.cloud.asked) > 1:
            return self._answer({})
        self._answer(
            {
                "entries": [
                    {
                        "logName": f"projects/{PROJECT}/logs/workerpool0-0",
                        "insertId": "1",
                        "severity": "INFO",
                        "timestamp": "2026-01-01T10:00:01.000000Z",
                        "textPayload": "step 20: loss 3.2",
                        "resource": {"type": "ml_job", "labels": {"task_name": "workerpool0-0"}},
                    }
                ]
            }
        )

    def image_tags(self, package: str, **_) -> None:
        self._answer(
            {
                "tags": [
                    {"name": f"{package}/tags/{tag}", "version": f"{package}/versions/sha256:{'0' * 64}"}
                    for tag in self.cloud.images
                ]
            }
        )


_BUCKET = r"/storage/v1/b/([^/]+)"
_JOBS = r"/v1/projects/([^/]+)/locations/([^/]+)/customJobs"
_ROUTES = (
    ("GET", _BUCKET, _Handler.bucket),
    ("GET", _BUCKET + "/o", _Handler.list_objects),
    ("GET", r"(?:/download)?" + _BUCKET + "/o/(.+)", _Handler.get_object),
    ("POST", r"(?:/resumable)?/upload" + _BUCKET + "/o", _Handler.upload),
    ("PUT", r"/resumable/(\d+)", _Handler.resumable),
    ("POST", _JOBS, _Handler.create_job),
    ("GET", _JOBS, _Handler.list_jobs),
    ("GET", _JOBS + r"/(\d+)", _Handler.get_job),
    ("POST", _JOBS + r"/(\d+):cancel", _Handler.cancel_job),
    ("POST", r"/v2/entries:list", _Handler.log_entries),
    ("GET", r"/v1/(projects/[^/]+/locations/[^/]+/repositories/[^/]+/packages/[^/]+)/tags", _Handler.image_tags),
)
