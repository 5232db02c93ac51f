"""A small server of the S3 protocol on this machine: lists, heads, gives, takes and deletes objects."""

import email.utils
import hashlib
import io
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

WHEN = 1_700_000_000
"""Seconds since 1970 at which every object was last changed that was not put by a request."""


class ObjectStore(ThreadingHTTPServer):
    """``objects`` is bucket to key to bytes; ``asked`` are the requests so far; ``refuse`` gives a status or 0.

    Where ``cut``, an answer ends after half of what it promised. ``times`` are those of objects that were put."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Request)
        self.objects, self.asked, self.most, self.cut = {}, [], 1000, False
        self.times, self.uploads = {}, {}
        self.refuse = lambda *asked: 0 * len(asked)

    @property
    def options(self):
        """What follows an address that is to lead here."""
        return f"?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:{self.server_port}"

    def put(self, bucket, folder, prefix):
        """Store the files of a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                self.objects.setdefault(bucket, {})[key] = path.read_bytes()

    def gets(self):
        """Keys that were read."""
        return [key for method, key in self.asked if method == "GET" and key]

    def when(self, bucket, key):
        """Seconds since 1970 at which an object was last changed."""
        return self.times.get((bucket, key), WHEN)


def _unchunked(file):
    parts = []
    while size := int(file.readline().split(b";")[0], 16):
        parts.append(file.read(size))
        file.readline()
    while file.readline().strip():
        pass
    return b"".join(parts)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        body = self._body()
        self.server.asked.append((self.command, key))
        objects = self.server.objects.get(bucket)
        if status := self.server.refuse(self.command, key):
            self._refuse(status, {403: "AccessDenied"}.get(status, "InternalError"))
        elif objects is None:
            self._refuse(404, "NoSuchBucket")
        elif self.command in {"PUT", "POST", "DELETE"}:
            self._change(bucket, key, query, body)
        elif "list-type" in query:
            self._list(bucket, objects, query)
        elif key not in objects:
            self._refuse(404, "NoSuchKey")
        else:
            self._give(objects[key], self.server.when(bucket, key))

    # The names that the library calls.
    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _body(self):
        whole = self.headers.get("Transfer-Encoding") == "chunked"
        data = _unchunked(self.rfile) if whole else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return _unchunked(io.BytesIO(data)) if "aws-chunked" in self.headers.get("Content-Encoding", "") else data

    def _change(self, bucket, key, query, body):
        uploads, number = self.server.uploads, query.get("uploadId", "")
        tag = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}
        if "uploads" in query:
            uploads[new := f"upload-{len(uploads)}"] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{new}</UploadId></InitiateMultipartUploadResult>"
            self._send(200, text.encode(), {"Content-Type": "application/xml"})
        elif number and self.command == "PUT":
            uploads[number][int(query["partNumber"])] = body
            self._send(200, b"", tag)
        elif number and self.command == "POST":
            self._keep(bucket, key, b"".join(data for _, data in sorted(uploads[number].items())))
            text = f"<CompleteMultipartUploadResult><Key>{escape(key)}</Key></CompleteMultipartUploadResult>"
            self._send(200, text.encode(), {"Content-Type": "application/xml"})
        elif "delete" in query:
            for name in re.findall(r"<Key>(.*?)</Key>", body.decode()):
                self.server.objects[bucket].pop(unescape(name), None)
            self._send(200, b"<DeleteResult></DeleteResult>", {"Content-Type": "application/xml"})
        elif self.command == "DELETE":
            self.server.objects[bucket].pop(key, None)
            self._send(204, b"", {})
        else:
            self._keep(bucket, key, body)
            self._send(200, b"", tag)

    def _keep(self, bucket, key, data):
        self.server.objects[bucket][key] = data
        self.server.times[bucket, key] = time.time()

    def _give(self, data, when):
        marks = {
            "ETag": f'"{hashlib.md5(data).hexdigest()}"',
            "Last-Modified": email.utils.formatdate(when, usegmt=True),
        }
        wanted = self.headers.get("Range")
        if not wanted:
            return self._send(200, data, marks)
        first, last = wanted.removeprefix("bytes=").split("-")
        part = data[int(first) : int(last or len(data) - 1) + 1]
        marks["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
        return self._send(206, part, marks)

    def _list(self, bucket, objects, query):
        prefix, sign, after = query.get("prefix", ""), query.get("delimiter"), query.get("continuation-token", "")
        found = {}
        for key in sorted(objects.copy()):
            if key.startswith(prefix):
                head, mark, _ = key[len(prefix) :].partition(sign) if sign else (key, "", "")
                found[prefix + head + mark if mark else key] = bool(mark)
        names = [name for name in found if name > after]
        shown = names[: min(int(query.get("max-keys", 1000)), self.server.most)]
        when = {name: time.gmtime(self.server.when(bucket, name)) for name in shown}
        lines = [
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            if found[name]
            else f"<Contents><Key>{escape(name)}</Key><Size>{len(objects[name])}</Size>"
            f"<LastModified>{time.strftime('%Y-%m-%dT%H:%M:%S.000Z', when[name])}</LastModified></Contents>"
            for name in shown
        ]
        cut = len(shown) < len(names)
        more = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if cut else ""
        text = f"<KeyCount>{len(shown)}</KeyCount><IsTruncated>{str(cut).lower()}</IsTruncated>{more}{''.join(lines)}"
        self._send(200, f"<ListBucketResult>{text}</ListBucketResult>".encode(), {"Content-Type": "application/xml"})

    def _refuse(self, status, code):
        text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self._send(status, text.encode(), {"Content-Type": "application/xml"})

    def _send(self, status, data, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if self.server.cut else data)
        self.close_connection = self.server.cut
