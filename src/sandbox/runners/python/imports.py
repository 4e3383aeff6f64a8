"""Which modules a folder's scripts import, from ENTRY on, and what ENTRY defines: as JSON on stdout.

ENTRY's imports are followed through the folder. Where it is no script of Python, all scripts of the folder count. A script
that Python does not take is left out: it says so itself when it runs.
"""

import ast
import json
import os
import sys


def scripts(folder):
    for place, _, names in os.walk(folder):
        yield from (os.path.join(place, name) for name in names if name.endswith(".py"))


def imported(tree):
    """The dotted names of modules. What a module imports of its own package is in the folder with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def defined(tree):
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def main(folder, entry):
    first = os.path.join(folder, entry)
    module = os.path.join(folder, entry.removesuffix(".py").replace(".", os.sep) + ".py")
    if not os.path.isfile(first) and os.path.isfile(module):
        first = module  # of a package: app.serve.py is app/serve.py
    todo = [first] if os.path.isfile(first) and entry.endswith(".py") else list(scripts(folder))
    places = {folder, os.path.dirname(first)}
    seen, modules, defines = set(), set(), []
    while todo:
        script = os.path.normpath(todo.pop())
        if script in seen or not os.path.isfile(script):
            continue
        seen.add(script)
        try:
            with open(script, "rb") as file:
                tree = ast.parse(file.read())
        except (SyntaxError, ValueError, RecursionError):
            defines = None if script == os.path.normpath(first) else defines
            continue
        if script == os.path.normpath(first):
            defines = sorted(defined(tree))
        for name in imported(tree):
            own = [os.path.join(place, name.split(".")[0]) for place in places]
            todo += [path + ".py" for path in own] + [script for path in own for script in scripts(path)]
            # By PYTHONPATH or sys.path it may be found elsewhere in the folder.
            if not any(os.path.exists(path + end) for path in own for end in (".py", "")):
                ends = (f"{os.sep}{name.split('.')[0]}.py", f"{os.sep}{name.split('.')[0]}{os.sep}__init__.py")
                todo += [script for script in scripts(folder) if script.endswith(ends)]
            # A folder without __init__.py gives way to a package that is installed.
            if not any(os.path.isfile(path + end) for path in own for end in (".py", "/__init__.py")):
                modules.add(name)
    print(json.dumps({"modules": sorted(modules), "defines": defines}))


if __name__ == "__main__":
    main(*sys.argv[1:])
