"""Run other programs. Every part of the project that starts one does it here.

`process` starts programs and collects their output; `git` and `packages` have the commands and the environments of git,
pip, uv, npm and Go. Only the standard library is imported: the toolchain uses this before anything is installed.
"""

from programs.process import Command, Done, OutOfTime, Program, quoted, run, start

__all__ = ["Command", "Done", "OutOfTime", "Program", "quoted", "run", "start"]
