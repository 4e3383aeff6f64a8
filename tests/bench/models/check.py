"""Holds recorded requests against AWS's own models: python check.py REQUESTS > one JSON document.

REQUESTS has one JSON object a line: {"head": [request line, header lines...], "body": base64}. Every request is read
back into the parameters of its operation as botocore's model has it (protocols json, query, ec2, rest-json, rest-xml),
and held against it: unknown and required members, types, enums, patterns, lengths, ranges, one member of a union, where
it goes (path, query, header, body), target, version, content type; checksums are computed again, and so are signatures.
"""
import base64
import binascii
import hashlib
import hmac
import json
import sys
import urllib.parse
import xml.etree.ElementTree as ET
import zlib
from collections import Counter
from datetime import datetime

import botocore.loaders
import botocore.model
import regex

# The name in a credential scope, where it is not the model's.
SIGNED_AS = {
    "monitoring": "cloudwatch", "servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi",
}
# Of every request: the SDK's own, HTTP's, and the signature's.
COMMON = {
    "accept", "accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "authorization", "connection",
    "content-encoding", "content-length", "content-type", "expect", "host", "transfer-encoding", "user-agent",
    "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length", "x-amz-security-token", "x-amz-target",
    "x-amz-trailer", "x-amz-user-agent", "x-amzn-query-mode",
}
LOADER = botocore.loaders.Loader()
MODELS = {}


def model(service):
    if service not in MODELS:
        MODELS[service] = botocore.model.ServiceModel(LOADER.load_service_model(service, "service-2"), service)
    return MODELS[service]


class Broken(Exception):
    pass


# --- values as they come over the wire -------------------------------------------------------------------------------


def from_text(shape, text, at, where="body"):
    """A value that the wire has as text only."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind == "blob":
            return base64.b64decode(text, validate=True)
        if kind == "timestamp":
            return time_of(text)
        if kind == "list" and where in ("header", "query"):
            return [from_text(shape.member, part.strip(), at) for part in text.split(",")]
    except (KeyError, ValueError) as error:
        raise Broken(f"{at}: {text!r} is no {kind}: {error}") from None
    return text


def time_of(text):
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%a, %d %b %Y %H:%M:%S GMT"):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    return datetime.fromtimestamp(float(text))


def from_json(shape, value, at):
    kind = shape.type_name
    expected = {
        "structure": dict, "map": dict, "list": list, "string": str, "integer": int, "long": int, "boolean": bool,
        "blob": str, "float": (int, float), "double": (int, float), "timestamp": (int, float, str),
    }[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "boolean"):
        raise Broken(f"{at}: {value!r} is no {kind}")
    if kind == "structure":
        names = {m.serialization.get("name", name): name for name, m in shape.members.items()}
        return {
            names.get(key, f"?{key}"): from_json(shape.members[names[key]], v, f"{at}.{key}") if key in names else v
            for key, v in value.items()
            if v is not None
        }
    if kind == "map":
        return {key: from_json(shape.value, v, f"{at}.{key}") for key, v in value.items()}
    if kind == "list":
        return [from_json(shape.member, v, f"{at}.*") for v in value]
    if kind == "blob":
        return from_text(shape, value, at)
    return time_of(str(value)) if kind == "timestamp" else value


def from_form(shape, prefix, form, used, ec2, at):
    """A member of the query protocol, or None; the names that were read are added to `used`."""
    kind = shape.type_name
    if kind == "structure":
        found = {}
        for name, member in shape.members.items():
            wire = member.serialization.get("name", name)
            if ec2:
                wire = member.serialization.get("queryName") or wire[0].upper() + wire[1:]
            elif member.type_name == "list" and member.serialization.get("flattened"):
                wire = member.member.serialization.get("name", wire)
            key = f"{prefix}.{wire}" if prefix else wire
            value = from_form(member, key, form, used, ec2, f"{at}.{name}")
            if value is not None:
                found[name] = value
        return found or None
    if kind == "list":
        flat = ec2 or shape.serialization.get("flattened")
        base = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        items = []
        while True:
            item = from_form(shape.member, f"{base}.{len(items) + 1}", form, used, ec2, f"{at}.*")
            if item is None:
                break
            items.append(item)
        return items or None
    if prefix not in form:
        return None
    used.add(prefix)
    return from_text(shape, form[prefix], at)


def from_xml(shape, element, at):
    kind = shape.type_name
    if kind == "structure":
        names = {}
        for name, member in shape.members.items():
            wire = member.serialization.get("name", name)
            if member.type_name == "list" and member.serialization.get("flattened"):
                wire = member.serialization.get("name") or member.member.serialization.get("name", name)
            names[wire] = (name, member)
        found = {}
        for child in element:
            tag = child.tag.split("}")[-1]
            if tag not in names:
                found[f"?{tag}"] = child.text
                continue
            name, member = names[tag]
            if member.type_name == "list" and member.serialization.get("flattened"):
                found.setdefault(name, []).append(from_xml(member.member, child, f"{at}.{name}.*"))
            else:
                found[name] = from_xml(member, child, f"{at}.{name}")
        for attribute, value in element.attrib.items():
            of = [n for n, m in shape.members.items() if m.serialization.get("xmlAttribute")]
            found[of[0] if of else f"?{attribute}"] = value
        return found
    if kind == "list":
        wire = shape.member.serialization.get("name", "member")
        odd = [c.tag for c in element if c.tag.split("}")[-1] != wire]
        if odd:
            raise Broken(f"{at}: {odd[0]} is not {wire}")
        return [from_xml(shape.member, child, f"{at}.*") for child in element]
    return from_text(shape, element.text or "", at)


# --- one request -----------------------------------------------------------------------------------------------------


class Request:
    def __init__(self, recorded):
        self.line, *headers = recorded["head"]
        self.method, self.target, _ = self.line.split(" ")
        self.headers = {}
        for header in headers:
            name, value = header.split(":", 1)
            self.headers[name.strip().lower()] = value.strip()
        self.sent = base64.b64decode(recorded["body"])
        self.path, _, query = self.target.partition("?")
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True)
        self.trailers = {}
        self.body = self.sent
        if self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            self.body = self.dechunked()

    def dechunked(self):
        rest, body = self.sent, b""
        while True:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            body, rest = body + rest[:size], rest[size + 2 :]
        for line in rest.decode().split("\r\n"):
            if ":" in line:
                name, value = line.split(":", 1)
                self.trailers[name.strip().lower()] = value.strip()
        if len(body) != int(self.headers["x-amz-decoded-content-length"]):
            raise Broken("x-amz-decoded-content-length is not the length")
        return body

    def scope(self):
        found = regex.search(r"Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request", self.headers.get("authorization", ""))
        if not found:
            raise Broken("it is not signed")
        return found.groups()


def segments(path):
    return path.strip("/").split("/") if path.strip("/") else []


def fits(operation, request):
    """The labels of the path when method, path and fixed query are the operation's."""
    http = operation.http
    path, _, fixed = http["requestUri"].partition("?")
    if http["method"] != request.method:
        return None
    want, have = segments(path), segments(request.path)
    labels = {}
    for i, part in enumerate(want):
        if part.endswith("+}"):
            labels[part[1:-2]] = urllib.parse.unquote("/".join(have[i:]))
            if not have[i:]:
                return None
            have = have[: len(want)]
            break
        if i >= len(have):
            return None
        if part.startswith("{"):
            labels[part[1:-1]] = urllib.parse.unquote(have[i])
        elif part != have[i]:
            return None
    if len(have) != len(want):
        return None
    fixed = urllib.parse.parse_qsl(fixed, keep_blank_values=True)
    return labels if all(pair in request.query for pair in fixed) else None


def rest(service, request):
    """The operation that a request of a REST protocol is, with its parameters from all but the body."""
    named = dict(request.query).get("x-id")
    found = []
    for name in service.operation_names:
        operation = service.operation_model(name)
        labels = fits(operation, request)
        if labels is None or operation.deprecated or (named and named != name):
            continue
        members = operation.input_shape.members if operation.input_shape else {}
        fixed = [k for k, _ in urllib.parse.parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True)]
        values, queries, headers = {}, set(fixed) | {"x-id"}, set(COMMON)
        for member, shape in members.items():
            place, wire = shape.serialization.get("location"), shape.serialization.get("name", member)
            at = f"{service.service_name}:{name}.{member}"
            if place == "uri" and wire in labels:
                values[member] = from_text(shape, labels[wire], at)
            elif place == "querystring" and wire in dict(request.query):
                queries.add(wire)
                if shape.type_name == "list":
                    values[member] = [v for k, v in request.query if k == wire]
                else:
                    values[member] = from_text(shape, dict(request.query)[wire], at, "query")
            elif place == "header" and wire.lower() in request.headers:
                headers.add(wire.lower())
                values[member] = from_text(shape, request.headers[wire.lower()], at, "header")
            elif place == "headers":
                mine = {h for h in request.headers if h.startswith(wire.lower())}
                headers |= mine
                if mine:
                    values[member] = {h[len(wire) :]: request.headers[h] for h in mine}
        required = operation.input_shape.required_members if operation.input_shape else []
        missing = [
            m for m in required
            if members[m].serialization.get("location") in ("uri", "querystring", "header") and m not in values
        ]
        odd = [k for k, _ in request.query if k not in queries]
        odd += [h for h in request.headers if h not in headers and not h.startswith("x-amz-checksum-") and h != "content-md5"]
        found.append((len(missing) + len(odd), -len(fixed), -len(values), name, values, missing, odd))
    if not found:
        raise Broken(f"{service.service_name}: no operation is {request.method} {request.path}")
    _, _, _, name, values, missing, odd = min(found, key=lambda f: f[:3])
    if missing or odd:
        raise Broken(f"{service.service_name}:{name}: without {missing}, and with {odd}")
    return service.operation_model(name), values


def rest_body(service, operation, request, values):
    shape, at = operation.input_shape, f"{service.service_name}:{operation.name}"
    if shape is None:
        return
    payload = shape.serialization.get("payload")
    inside = {n: m for n, m in shape.members.items() if "location" not in m.serialization and n != payload}
    is_xml = service.metadata["protocol"] == "rest-xml"
    if payload:
        member = shape.members[payload]
        if member.type_name in ("blob", "string"):
            if request.body or payload in shape.required_members:
                values[payload] = request.body if member.type_name == "blob" else request.body.decode()
        elif request.body:
            if is_xml:
                root = ET.fromstring(request.body)
                want = member.serialization.get("name", payload)
                if root.tag.split("}")[-1] != want:
                    raise Broken(f"{at}: the root is {root.tag}, not {want}")
                space = (member.serialization.get("xmlNamespace") or service.metadata.get("xmlNamespace") or {})
                space = space.get("uri") if isinstance(space, dict) else space
                if space and not root.tag.startswith("{" + space + "}"):
                    raise Broken(f"{at}: the root {root.tag} is not of {space}")
                values[payload] = from_xml(member, root, f"{at}.{payload}")
            else:
                values[payload] = from_json(member, json.loads(request.body), f"{at}.{payload}")
    elif inside and request.body:
        document = json.loads(request.body)
        names = {m.serialization.get("name", n): n for n, m in inside.items()}
        for key, value in document.items():
            if key not in names:
                values[f"?{key}"] = value
            elif value is not None:
                values[names[key]] = from_json(inside[names[key]], value, f"{at}.{key}")
    elif request.body and not inside:
        raise Broken(f"{at}: it has a body, and no member goes there")


def read(request):
    *_, signed = request.scope()
    name = SIGNED_AS.get(signed, signed)
    if name == "sagemaker" and "x-amz-target" not in request.headers:
        name = "sagemaker-runtime"
    service = model(name)
    protocol = service.metadata["protocol"]
    content_type = request.headers.get("content-type", "")
    if "x-amz-target" in request.headers and "json" in service.metadata.get("protocols", []):
        protocol = "json"  # one of those that the service speaks
    if protocol == "json":
        prefix, _, operation = request.headers.get("x-amz-target", "").rpartition(".")
        want = service.metadata["targetPrefix"]
        if prefix != want:
            raise Broken(f"{name}: the target is {prefix}, not {want}")
        version = f"application/x-amz-json-{service.metadata['jsonVersion']}"
        if content_type != version:
            raise Broken(f"{name}: the content type is {content_type}, not {version}")
        operation = service.operation_model(operation)
        return service, operation, from_json(operation.input_shape, json.loads(request.body), f"{name}:{operation.name}")
    if protocol in ("query", "ec2"):
        form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))
        operation = service.operation_model(form["Action"])
        at = f"{name}:{operation.name}"
        if form["Version"] != service.metadata["apiVersion"]:
            raise Broken(f"{at}: the version is {form['Version']}, not {service.metadata['apiVersion']}")
        if not content_type.startswith("application/x-www-form-urlencoded"):
            raise Broken(f"{at}: the content type is {content_type}")
        used = {"Action", "Version"}
        values = {}
        if operation.input_shape is not None:
            values = from_form(operation.input_shape, "", form, used, protocol == "ec2", at) or {}
        values.update({f"?{key}": form[key] for key in form if key not in used})
        return service, operation, values
    operation, values = rest(service, request)
    rest_body(service, operation, request, values)
    return service, operation, values


# --- what the model says of a value ----------------------------------------------------------------------------------


def pattern_of(text):
    """A Java expression, as Python has it: what is beyond U+FFFF is one character there."""
    return regex.compile(text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))


PATTERNS = {}


def held(shape, value, at, found):
    kind, limits = shape.type_name, shape.metadata
    size = None
    if kind == "structure":
        for key in value:
            if key.startswith("?"):
                found.append(f"{at}{key}: unknown")
        for member in shape.required_members:
            if member not in value:
                found.append(f"{at}.{member}: required")
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            found.append(f"{at}: {sorted(value)} of a union")
        for name, member in shape.members.items():
            if name in value:
                held(member, value[name], f"{at}.{name}", found)
        return
    if kind == "map":
        size = len(value)
        for key, item in value.items():
            held(shape.key, key, f"{at}.key", found)
            held(shape.value, item, f"{at}.value", found)
    elif kind == "list":
        size = len(value)
        for item in value:
            held(shape.member, item, f"{at}.*", found)
    elif kind in ("string", "blob"):
        size = len(value)
    elif kind in ("integer", "long", "float", "double"):
        size = value
    if size is not None:
        if "min" in limits and size < limits["min"] or "max" in limits and size > limits["max"]:
            found.append(f"{at}: {size} is not within {limits.get('min')} and {limits.get('max')}")
    if kind == "string":
        if shape.enum and value not in shape.enum:
            found.append(f"{at}: {value!r} is none of the enum")
        pattern = limits.get("pattern")
        if pattern:
            compiled = PATTERNS.setdefault(pattern, pattern_of(pattern))
            # A model's pattern is for the whole text.
            if not compiled.fullmatch(value):
                found.append(f"{at}: {value[:80]!r} is not {pattern}")


# --- checksums and signatures ----------------------------------------------------------------------------------------


def reflected(polynomial, width):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    ones = (1 << width) - 1

    def crc(data):
        value = ones
        for byte in data:
            value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
        return (value ^ ones).to_bytes(width // 8, "big")

    return crc


SUMS = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": reflected(0x82F63B78, 32),
    "crc64nvme": reflected(0x9A6C9329AC4BC9B5, 64),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def checksums(operation, request, at, found):
    told = {**request.headers, **request.trailers}
    sums = {name[15:]: value for name, value in told.items() if name.startswith("x-amz-checksum-")}
    sums.pop("algorithm", None), sums.pop("type", None), sums.pop("mode", None)
    if operation.name != "CompleteMultipartUpload":  # there it is of the object
        for name, value in sums.items():
            if base64.b64decode(value) != SUMS[name](request.body):
                found.append(f"{at}: the {name} is not the body's")
    md5 = request.headers.get("content-md5")
    if md5 and base64.b64decode(md5) != hashlib.md5(request.body).digest():
        found.append(f"{at}: the MD5 is not the body's")
    if operation.http_checksum.get("requestChecksumRequired") and not (sums or md5):
        found.append(f"{at}: a checksum is required")
    sha = request.headers.get("x-amz-content-sha256", "")
    if regex.fullmatch("[0-9a-f]{64}", sha) and sha != hashlib.sha256(request.sent).hexdigest():
        found.append(f"{at}: x-amz-content-sha256 is not the body's")


def signature(request, at, found):
    access_key, day, region, service = request.scope()
    authorization = request.headers["authorization"]
    names = regex.search(r"SignedHeaders=([^,]+)", authorization).group(1).split(";")
    if "host" not in names or any(n not in names for n in request.headers if n.startswith("x-amz-")):
        found.append(f"{at}: a header is not signed: {sorted(set(request.headers) - set(names))}")
    path = request.path if service == "s3" else urllib.parse.quote(request.path, safe="/-_.~")
    encoded = lambda text: urllib.parse.quote(text, safe="-_.~")
    query = "&".join(f"{encoded(k)}={encoded(v)}" for k, v in sorted(request.query))
    headers = "".join(f"{n}:{regex.sub(' +', ' ', request.headers[n])}\n" for n in names)
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.sent).hexdigest()
    canonical = "\n".join([request.method, path or "/", query, headers, ";".join(names), payload])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(
        ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    # The tests' keys are their own secrets.
    key = f"AWS4{access_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    want = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not authorization.endswith(f"Signature={want}"):
        found.append(f"{at}: the signature is another")


def main(path):
    operations, violations = Counter(), []
    for line in open(path, encoding="utf-8"):
        request = None
        try:
            request = Request(json.loads(line))
            if request.path.startswith("/_sandbox"):
                continue
            service, operation, values = read(request)
            at = f"{service.service_name}:{operation.name}"
            operations[at] += 1
            if operation.input_shape is not None:
                held(operation.input_shape, values, at, violations)
            checksums(operation, request, at, violations)
            signature(request, at, violations)
        except (Broken, binascii.Error, ET.ParseError, UnicodeDecodeError, ValueError, KeyError) as error:
            violations.append(f"{request and request.line}: {type(error).__name__} {error}")
    json.dump(
        {
            "botocore": __import__("botocore").__version__,
            "operations": dict(sorted(operations.items())),
            "requests": sum(operations.values()),
            "violations": sorted(set(violations)),
        },
        sys.stdout,
    )


main(sys.argv[1])
