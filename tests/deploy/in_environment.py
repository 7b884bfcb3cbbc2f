"""Run by the Python of the environment `kubernetes`: a question a line (JSON), an answer a line.

["yaml", text] gives the objects in it, ["chart", folder, values, name, namespace] those that Helm renders and its notes,
["validate", objects, version] what the published schemas of that version say against each, strictly.
"""

import json
import sys


def parsed(text):
    import yaml

    return [one for one in yaml.safe_load_all(text) if one]


def chart(folder, values, name, namespace):
    import helm_python

    with helm_python.Chart.load(folder) as loaded:
        texts = loaded.render(values, name=name, namespace=namespace)
    notes = [text for path, text in texts.items() if path.endswith("NOTES.txt")]
    manifests = [text for path, text in sorted(texts.items()) if path.endswith(".yaml")]
    return {"objects": [one for text in manifests for one in parsed(text)], "notes": "".join(notes)}


def lint(folder):
    import helm_python

    return [one["error"] for one in helm_python.lint(folder)["messages"]]


def validate(objects, version):
    import kubernetes_validate

    problems = []
    for one in objects:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{one['kind']}: {'.'.join(map(str, error.path))}: {error.message[:300]}")
        except kubernetes_validate.SchemaNotFoundError as error:
            problems.append(f"{one['kind']}: {error}")
    return problems


QUESTIONS = {"yaml": parsed, "chart": chart, "lint": lint, "validate": validate}

for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        answer = {"answer": QUESTIONS[name](*arguments)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
