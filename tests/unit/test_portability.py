"""Every module can be imported where the modules of POSIX systems are missing, as on Windows."""

import subprocess
import sys

import pytest

BLOCKED = ("resource", "fcntl", "termios", "pwd", "grp", "tty", "pty")

CODE = f"""
import importlib, importlib.abc, pkgutil, sys

blocked = {BLOCKED}
asking = []


class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in blocked:
            frame = sys._getframe(1)
            while frame and 'importlib' in frame.f_code.co_filename:
                frame = frame.f_back
            if frame and 'dnaspt' in frame.f_globals.get('__name__', ''):
                asking.append((frame.f_globals['__name__'], name))
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None


for name in blocked:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
import dnaspt

names = [module.name for module in pkgutil.walk_packages(dnaspt.__path__, 'dnaspt.')]
for name in names:
    if name != 'dnaspt.__main__':
        importlib.import_module(name)
print(len(names))
"""


@pytest.mark.slow
def test_every_module_imports_without_the_modules_of_posix_systems() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert int(said.stdout) > 100
