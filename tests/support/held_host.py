"""
A host as it stands, but that each of its files waits for the test's permit.

`HOST` in the environment names it as `module:application`, or a function that makes it.
"""

import importlib
import inspect
import os
from functools import partial

import web
from tests.support.gated import wait_for_permit

web.create_app = partial(web.create_app, process=wait_for_permit)

_module, _, _name = os.environ["HOST"].partition(":")
_found = getattr(importlib.import_module(_module), _name)
_makes = inspect.isfunction(_found) and not inspect.iscoroutinefunction(_found)
app = _found() if _makes else _found
