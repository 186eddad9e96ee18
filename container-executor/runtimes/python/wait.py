"""Waits in a container for the one program that it will run, as if python had been started with it."""

import io, json, os, re, sys, traceback, types  # What programs use most is loaded before they come.


def take():
    with open(4, "rb") as control:
        record = control.read().split(b"\0")[:-1]
    count = int(record[0])
    os.environb.clear()
    for entry in record[count + 1 :]:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value
    return [os.fsdecode(argument) for argument in record[1 : count + 1]]


def run(arguments):
    path = os.path.abspath(arguments[0])
    sys.argv[:] = arguments
    sys.path[0] = os.path.dirname(path)
    if "BULKHEAD_VALUE_FD" not in os.environ:
        os.close(3)
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    try:
        with io.open_code(path) as source:
            code = compile(source.read(), path, "exec")
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        # The frames of this file are none of the program's.
        error.__traceback__ = error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(130) from None
        raise SystemExit(1) from None


run(take())
