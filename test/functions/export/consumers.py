"""Opens documents with the programs that are to read them: a JSON list of documents in, a JSON list of what they read out."""
import io
import json
import sys
import warnings


def graphml(text):
    import networkx

    graph = networkx.parse_graphml(text, force_multigraph=True)
    return {
        "nodes": {data["alastor_id"]: data for _, data in graph.nodes(data=True)},
        "edges": [
            [graph.nodes[a]["alastor_id"], graph.nodes[b]["alastor_id"], data] for a, b, data in graph.edges(data=True)
        ],
        "cut": graph.graph.get("cut", ""),
    }


def prov(text, format):
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(content=text, format=format)
    records = []
    for record in document.get_records():
        args = {name.localpart: value for name, value in record.formal_attributes if value is not None}
        records.append(
            {
                "type": record.get_type().localpart,
                "label": str(record.label) if record.label else "",
                "types": sorted(str(one) for one in record.get_asserted_types()),
                "args": {name: str(value) for name, value in args.items()},
                "extra": {str(name): str(value) for name, value in record.extra_attributes},
            }
        )
    # What was read has to survive being written as PROV-N and to be one connected document.
    return {"records": records, "provn": len(document.get_provn())}


def otlp(text):
    from google.protobuf import json_format
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
    import base64

    # OTLP/JSON writes ids in hex where protobuf's mapping has base64; anything else is protobuf's.
    data = json.loads(text)

    def rewrite(value):
        if isinstance(value, list):
            for one in value:
                rewrite(one)
        elif isinstance(value, dict):
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in value:
                    value[name] = base64.b64encode(bytes.fromhex(value[name])).decode()
            for one in value.values():
                rewrite(one)

    rewrite(data)
    traces = json_format.ParseDict(data, TracesData())  # refuses unknown fields and wrong types
    assert TracesData.FromString(traces.SerializeToString()) == traces
    spans = []
    for resource in traces.resource_spans:
        service = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8
                spans.append(
                    {
                        "service": service["service.name"],
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "name": span.name,
                        "kind": span.kind,
                        "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano,
                        "node": next(a.value.string_value for a in span.attributes if a.key == "alastor.node"),
                        "links": [link.span_id.hex() for link in span.links],
                        "events": [event.name for event in span.events],
                    }
                )
    return spans


def ocsf(text):
    """Validates against the models of OCSF, and that no attribute is one they do not know."""
    import importlib

    events = importlib.import_module("ocsf.v1_7_0.events")
    from pydantic import BaseModel

    classes = {1001: "FileActivity", 1007: "ProcessActivity", 2004: "DetectionFinding", 4001: "NetworkActivity", 4002: "HttpActivity"}

    def unknown(value, path):
        if isinstance(value, BaseModel):
            found = [f"{path}.{name}" for name in value.model_extra or {}]
            # `unmapped` is where the schema wants what it has no attribute for.
            for name in set(type(value).model_fields) - {"unmapped"}:
                found += unknown(getattr(value, name), f"{path}.{name}")
            return found
        if isinstance(value, list):
            return [one for i, item in enumerate(value) for one in unknown(item, f"{path}[{i}]")]
        return []

    read = []
    for line in text.splitlines():
        event = json.loads(line)
        read.append(json.loads(line))
        name = classes[event["class_uid"]]
        # A string in the schema, a whole number in these models: the one attribute they have wrong.
        if "http_method" in event.get("http_request", {}):
            assert isinstance(event["http_request"].pop("http_method"), str)
        model = getattr(events, name).model_validate(event)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"], event
        bad = unknown(model, name)
        assert not bad, bad
    return read


def stix(text):
    """Parsed strictly: properties, their types, ids and references are those of STIX 2.1, or it is refused."""
    import stix2

    bundle = stix2.parse(text, version="2.1", allow_custom=False)
    objects = [json.loads(one.serialize()) for one in bundle.objects]
    ids = {one["id"] for one in objects}
    refs = [ref for one in objects for name in one if name.endswith("_refs") for ref in one[name]]
    refs += [one[name] for one in objects for name in one if name.endswith("_ref")]
    return {"dangling": [ref for ref in refs if ref not in ids], "twice": len(objects) - len(ids), "objects": objects}


def stix_oasis(text):
    """Held against the schemas and the checks of the specification by OASIS's own validator."""
    from stix2validator import ValidationOptions, validate_string

    told = validate_string(text, ValidationOptions(version="2.1", strict_types=True, strict_properties=True))
    return {"errors": [str(one) for one in told.errors or []]}


def html(text):
    """Parsed by a real HTML parser, and laid out on pages; nothing may be fetched."""
    from weasyprint import HTML
    import tinyhtml5

    fetched = []

    def fetcher(url, *args, **kwargs):
        fetched.append(url)
        raise ValueError(url)

    tree = tinyhtml5.parse(text, namespace_html_elements=False)
    elements = {}
    attributes = set()
    for element in tree.iter():
        if isinstance(element.tag, str):
            name = element.tag.split("}")[-1]
            elements[name] = elements.get(name, 0) + 1
            attributes.update(element.attrib)
    pages = HTML(string=text, url_fetcher=fetcher).render().pages
    return {
        "elements": elements,
        "attributes": sorted(attributes),
        "text": [" ".join(one.itertext()) for one in tree.iter() if one.tag in ("td", "li", "p", "h1")],
        "fetched": fetched,
        "pages": len(pages),
    }


def hcl(text):
    import hcl2

    return hcl2.loads(text, serialization_options=hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False))


READERS = {
    "hcl": hcl,
    "graphml": graphml,
    "prov-json": lambda text: prov(text, "json"),
    "prov-jsonld": lambda text: prov(text, "jsonld"),
    "otlp": otlp,
    "ocsf": ocsf,
    "stix": stix,
    "stix-oasis": stix_oasis,
    "html": html,
}

warnings.simplefilter("ignore")
reader = READERS[sys.argv[1]]
documents = json.load(io.TextIOWrapper(sys.stdin.buffer, "utf-8"))
json.dump([reader(one) for one in documents], sys.stdout)
