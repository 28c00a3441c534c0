"""Records how a product goes, for Milepost: did we meet the success criteria that we set?

    import milepost

    with milepost.operation("search", backend="native"):
        ...

The functions of this module record into the data folder that `milepost` itself would use; `Recorder(data)` records into another.
"""

from ._recorder import Operation, Recorder
from ._wire import Invalid

__all__ = [
    "Invalid",
    "Operation",
    "Recorder",
    "interaction",
    "label",
    "measurement",
    "memory",
    "note",
    "operation",
    "record",
    "recorder",
    "session",
]

#: The recorder of the functions of this module.
recorder = Recorder()

operation = recorder.operation
session = recorder.session
interaction = recorder.interaction
label = recorder.label
memory = recorder.memory
measurement = recorder.measurement
note = recorder.note
record = recorder.record
