"""Run other programs. All parts of the project start programs through this package.

`process` starts programs and collects their output. `git` and `packages` have the commands and environments of git,
pip, uv, npm and Go. Only the standard library is imported, because the toolchain runs before anything is installed.
"""

from programs.process import Command, Done, OutOfTime, Program, quoted, run, start

__all__ = ["Command", "Done", "OutOfTime", "Program", "quoted", "run", "start"]
