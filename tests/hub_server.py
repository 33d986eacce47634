"""A server on 127.0.0.1 that speaks as much of the Hugging Face hub's API as uploads and downloads of models need."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_secretsecretsecret"
LARGE = ".safetensors"
"""Files with this ending go through Git LFS, as on the hub."""


@dataclass
class Repository:
    """A model: its files at each commit, newest last."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        return list(self.commits)[-1]

    def commit(self, files: dict[str, bytes]) -> str:
        digest = hashlib.sha1(f"{len(self.commits)}".encode())
        for name, content in sorted(files.items()):
            digest.update(name.encode() + content)
        self.commits[digest.hexdigest()] = files
        return digest.hexdigest()


@dataclass
class Hub:
    """The server: its address, the models on it, and what it was asked for."""

    url: str = ""
    models: dict[str, Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lies: dict[str, Any] = field(default_factory=dict)
    """What the server says of every file instead of the truth: size, or sha256."""

    def environment(self, home: str, *, token: str = TOKEN) -> dict[str, str]:
        """Variables by which huggingface_hub talks to this server, and keeps its files below a folder."""
        own = {"HF_ENDPOINT": self.url, "HF_HOME": home, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return own | ({"HF_TOKEN": token} if token else {})


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    lock: Lock

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{method} {self.path}")
        with self.lock:
            for pattern, verb, function in _ROUTES:
                if verb == method.replace("HEAD", "GET") and (match := re.fullmatch(pattern, path)):
                    function(self, body, **match.groupdict())
                    return
        self._json(404, {"error": "no such page"})

    def _json(self, status: int, content: Any, **headers: str) -> None:
        self._bytes(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})

    def _bytes(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    @property
    def _is_known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _find(self, name: str) -> Repository | None:
        """The model, where it may be seen; else an answer as the hub gives it."""
        model = self.hub.models.get(name)
        if model is None or (model.private and not self._is_known):
            self._json(401, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
            return None
        return model

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if not self._is_known:
            self._json(401, {"error": "Invalid username or password."})
        elif name in self.hub.models:
            self._json(409, {"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"})
        else:
            private = asked.get("private") is True or asked.get("visibility") == "private"
            self.hub.models[name] = model = Repository(private)
            model.commit({".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
            self._json(200, {"url": f"{self.hub.url}/{name}", "name": name, "id": name})

    def info(self, body: bytes, name: str, revision: str | None = None) -> None:
        if (model := self._find(name)) is None:
            return
        sha = model.sha if revision in (None, "main") else revision
        if sha not in model.commits:
            self._json(404, {"error": f"Invalid rev id: {sha}"}, **{"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [self._file(path, content) for path, content in model.commits[sha].items()]
        self._json(
            200, {"id": name, "modelId": name, "sha": sha, "private": model.private, "siblings": siblings, "tags": []}
        )

    def _file(self, path: str, content: bytes) -> dict[str, Any]:
        size = self.hub.lies.get("size", len(content))
        about: dict[str, Any] = {"rfilename": path, "size": size, "blobId": hashlib.sha1(content).hexdigest()}
        if path.endswith(LARGE):
            sha256 = self.hub.lies.get("sha256", hashlib.sha256(content).hexdigest())
            about["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 130}
        return about

    def tree(self, body: bytes, name: str, revision: str) -> None:
        if (model := self._find(name)) is None:
            return
        files = model.commits[model.sha if revision == "main" else revision]
        rows = [
            {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for path, content in files.items()
        ]
        self._json(200, rows)

    def validate(self, body: bytes) -> None:
        text = json.loads(body)["content"]
        is_card = text.startswith("---\n") and "license:" in text
        self._json(200, {"errors": [] if is_card else [{"message": "no metadata"}], "warnings": []})

    def preupload(self, body: bytes, name: str) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        self._json(200, {"files": files})

    def batch(self, body: bytes, name: str) -> None:
        objects = [
            {**own, "actions": {"upload": {"href": f"{self.hub.url}/blobs/{own['oid']}"}}}
            for own in json.loads(body)["objects"]
        ]
        content = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self._bytes(200, content, {"Content-Type": "application/vnd.git-lfs+json"})

    def blob(self, body: bytes, oid: str) -> None:
        self.hub.blobs[oid] = body
        self._json(200 if hashlib.sha256(body).hexdigest() == oid else 400, {})

    def commit(self, body: bytes, name: str) -> None:
        if not self._is_known:
            self._json(401, {"error": "Invalid username or password."})
            return
        model = self.hub.models[name]
        files = dict(model.commits[model.sha])
        for line in map(json.loads, filter(None, body.splitlines())):
            value = line["value"]
            if line["key"] == "deletedFile":
                del files[value["path"]]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
        sha = model.commit(files)
        self._json(200, {"success": True, "commitOid": sha, "commitUrl": f"{self.hub.url}/{name}/commit/{sha}"})

    def resolve(self, body: bytes, name: str, revision: str, file: str) -> None:
        if (model := self._find(name)) is None:
            return
        sha = model.sha if revision == "main" else revision
        content = model.commits[sha].get(file)
        if content is None:
            self._json(404, {"error": "Entry not found"}, **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            return
        self._bytes(200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": sha})


_NAME = r"(?P<name>[^/]+/[^/]+)"
_ROUTES = (
    (r"/api/repos/create", "POST", _Handler.create),
    (r"/api/validate-yaml", "POST", _Handler.validate),
    (rf"/api/models/{_NAME}", "GET", _Handler.info),
    (rf"/api/models/{_NAME}/revision/(?P<revision>.+)", "GET", _Handler.info),
    (rf"/api/models/{_NAME}/tree/(?P<revision>[^/]+)", "GET", _Handler.tree),
    (rf"/api/models/{_NAME}/preupload/main", "POST", _Handler.preupload),
    (rf"/api/models/{_NAME}/commit/main", "POST", _Handler.commit),
    (rf"/{_NAME}\.git/info/lfs/objects/batch", "POST", _Handler.batch),
    (r"/blobs/(?P<oid>[0-9a-f]+)", "PUT", _Handler.blob),
    (rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", "GET", _Handler.resolve),
)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port of 127.0.0.1, for as long as the block lasts."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub, "lock": Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
