"""Runs pip as if on Lambda's machine.

pip's --python-version and --platform choose wheels. But `pip install` takes or leaves what is asked for with
a marker (`; python_version < "3.12"`, `; sys_platform == "win32"`), as packages ask for others, by the
interpreter that runs it, and refuses what has a wheel for Lambda's Python and none for its own.
"""

import sys

sys.path = [folder for folder in sys.path if folder]  # not the function's own modules

import runpy

from pip._internal.resolution.resolvelib.candidates import RequiresPythonCandidate
from pip._vendor.packaging import markers

version, machine = sys.argv[1:3]
del sys.argv[1:3]
release = (*map(int, version.split(".")), 0)
OF_LAMBDA = {
    "implementation_name": "cpython",
    "implementation_version": version + ".0",
    "os_name": "posix",
    "platform_machine": machine,
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": version + ".0",
    "python_version": version,
    "sys_platform": "linux",
}
markers.default_environment = lambda: dict(OF_LAMBDA)
of_candidate = RequiresPythonCandidate.__init__
RequiresPythonCandidate.__init__ = lambda self, _: of_candidate(self, release)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
