"""Green threads in gdb, of a running program or of a core file.

(gdb) source weft-gdb.py
(gdb) weft threads                     lists them: worker and id, state, name, what they wait for
(gdb) weft bt [WORKER.]ID              where one stands
(gdb) weft apply all|[WORKER.]ID CMD   runs a gdb command in the innermost frame of each

The program needs its debug information. Nothing in it is changed, no register either: a parked
stack is shown as what its worker's OS thread was called by. The core has to be the kernel's: those
that gdb writes itself lack stacks, for it does not read around their guards.
"""

import gdb
from gdb.unwinder import Unwinder, register_unwinder

SCHEDULER = "'weft::gvt::(anonymous namespace)::t_scheduler'"
# Below this are frames of a loop that has gone on elsewhere.
LOOP = "weft::gvt::Scheduler::run_one"
REGISTERS = {
    "i386:x86-64": ("rsp", "rbp", "rip"),
    "aarch64": ("sp", "x29", "pc"),
}


def address_of(value):
    return int(value.cast(gdb.lookup_type("unsigned long")))


def elements(vector):
    begin, end = vector["_M_impl"]["_M_start"], vector["_M_impl"]["_M_finish"]
    return [begin[i] for i in range(int(end - begin))]


def atomic_pointer(atomic):
    return atomic["_M_b"]["_M_p"]


class GreenThread:
    """One record, and what its scheduler says of it."""

    def __init__(self, record, scheduler, os_thread, ready):
        self.record = record
        self.os_thread = os_thread
        self.worker = int(scheduler["index_"])
        self.id = int(record["task"]["id"])
        self.is_running = record.address == scheduler["running_"]
        self.is_ready = address_of(record.address) in ready

    def key(self):
        return f"{self.worker}.{self.id}"

    def name(self):
        name = self.record["task"]["name"]
        return name.string(errors="replace") if address_of(name) != 0 else ""

    def state(self):
        if self.is_running:
            return "runs"
        if self.is_ready:
            return "is ready"
        what = self.record["waiting"]["what"]
        if address_of(what) == 0:
            return "waits"
        text = "waits for " + what.string(errors="replace")
        at = address_of(self.record["waiting"]["object"])
        return f"{text} ({at:#x})" if at != 0 else text


class StackReader:
    """The records at the tops of the stacks that a worker's pools have handed out."""

    def __init__(self):
        self.record_type = gdb.lookup_type("weft::gvt::GreenThread")
        self.tail_type = gdb.lookup_type("weft::gvt::StackPool::Tail")

    def record_at(self, lowest, stack_bytes):
        place = lowest + stack_bytes - self.tail_type.sizeof - self.record_type.sizeof
        place -= place % 64
        return gdb.Value(place).cast(self.record_type.pointer()).dereference()

    def free_stacks(self, pool, stack_bytes):
        free = {address_of(lowest)
                for name in ("warm_", "cold_") for lowest in elements(pool[name])}
        tail = atomic_pointer(pool["returned_"])
        while address_of(tail) != 0:
            free.add(address_of(tail) + self.tail_type.sizeof - stack_bytes)
            tail = tail["next"]
        return free

    def records(self, scheduler):
        for slot in range(int(scheduler["stacks_"]["kSizes"])):
            optional = scheduler["stacks_"]["pools_"]["_M_elems"][slot]["_M_payload"]
            if optional["_M_engaged"]:
                yield from self.records_of(optional["_M_payload"]["_M_value"])

    def records_of(self, pool):
        stack_bytes = int(pool["stack_bytes_"])
        free = self.free_stacks(pool, stack_bytes)
        slabs = elements(pool["slabs_"])
        for number, slab in enumerate(slabs):
            taken = int(pool["fresh_"] if number == len(slabs) - 1 else slab["stacks"])
            for i in range(taken):
                lowest = address_of(slab["base"]) + i * stack_bytes
                if lowest not in free:
                    yield self.record_at(lowest, stack_bytes)


def ready_records(scheduler):
    ready, task = set(), scheduler["ready_"]["first_"]
    while address_of(task) != 0:
        ready.add(address_of(task))
        task = task["next"]
    return ready


def counts(record, scheduler):
    """As Scheduler::counts(): not the loop's stack, nor its spare one."""
    if record.address == scheduler["spare_"] or record.address == scheduler["finished_"]:
        return False
    if record.address == scheduler["running_"]:
        return int(record["task"]["id"]) != 0
    return address_of(atomic_pointer(record["parked_on"])) == address_of(scheduler.address)


def threads_of(scheduler, os_thread):
    ready = ready_records(scheduler)
    found = [record for record in StackReader().records(scheduler) if counts(record, scheduler)]
    movable = scheduler["movable_"]
    while address_of(movable) != 0:
        found.append(movable.dereference())
        movable = movable["next_movable"]
    return [GreenThread(record, scheduler, os_thread, ready) for record in found]


def scheduler_of_this_thread():
    """None outside of workers; the kernel's own threads in a process have no thread-locals."""
    try:
        scheduler = gdb.parse_and_eval(SCHEDULER)
    except gdb.error as error:
        return None, str(error)
    return (scheduler.dereference() if address_of(scheduler) != 0 else None), ""


def all_threads():
    selected = gdb.selected_thread()
    if selected is None:
        raise gdb.GdbError("There is no program and no core file to look at.")
    found, problems, looked_at = [], [], 0
    try:
        for os_thread in gdb.selected_inferior().threads():
            os_thread.switch()
            scheduler, problem = scheduler_of_this_thread()
            problems += [problem] if problem else []
            looked_at += not problem
            if scheduler is not None:
                found += threads_of(scheduler, os_thread)
    finally:
        selected.switch()
    if looked_at == 0:
        raise gdb.GdbError(f"No thread can be looked at: {problems[0]}")
    return sorted(found, key=lambda thread: (thread.worker, thread.id))


def chosen(word):
    found = [t for t in all_threads() if word == "all" or word in (t.key(), str(t.id))]
    if not found:
        raise gdb.GdbError(f"There is no green thread {word}; see `weft threads`.")
    if word != "all" and len(found) > 1:
        raise gdb.GdbError("Which of " + ", ".join(t.key() for t in found) + "?")
    return found


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(Unwinder):
    """Says, while it has a context, that the innermost frame was called from there."""

    def __init__(self):
        super().__init__("weft-parked")
        self.context = None

    def show(self, context):
        self.context = None
        gdb.invalidate_cached_frames()
        if context is not None:
            newest = gdb.newest_frame()
            self.names = REGISTERS[newest.architecture().name()]
            self.newest = [int(newest.read_register(name)) for name in ("pc", "sp")]
            self.context = [context[name] for name in
                            ("stack_pointer", "frame_pointer", "instruction")]
            gdb.invalidate_cached_frames()

    def __call__(self, pending_frame):
        if self.context is None:
            return None
        pc, sp = (pending_frame.read_register(name) for name in ("pc", "sp"))
        if [int(pc), int(sp)] != self.newest:
            return None
        word = gdb.lookup_type("unsigned long")
        # Stacks grow down, so that the caller's frame must seem to lie above this one.
        below = gdb.Value(address_of(self.context[0]) - 512).cast(word)
        info = pending_frame.create_unwind_info(FrameId(below, pc.cast(word)))
        for name, value in zip(self.names, self.context):
            info.add_saved_register(name, value.cast(word))
        return info


UNWINDER = ParkedUnwinder()
register_unwinder(None, UNWINDER, replace=True)


class At:
    """Selects the innermost frame of a green thread for a while."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        self.before = gdb.selected_thread()
        self.thread.os_thread.switch()
        if self.thread.is_running:
            gdb.newest_frame().select()
            return
        UNWINDER.show(self.thread.record["context"])
        gdb.newest_frame().older().select()

    def __exit__(self, *_):
        UNWINDER.show(None)
        self.before.switch()


def print_frames(frame):
    number = 0
    while frame is not None and frame.pc() != 0 and not (frame.name() or "").startswith(LOOP):
        line = f"#{number:<3}{frame.name() or hex(frame.pc())}"
        place = frame.find_sal()
        if place.symtab is not None:
            line += f" ({place.symtab.filename}:{place.line})"
        print(line)
        number += 1
        frame = frame.older()


class Weft(gdb.Command):
    """Green threads of weft."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, prefix=True)


class Threads(gdb.Command):
    """Lists the green threads: worker and id, state, name.
Usage: weft threads"""

    def __init__(self):
        super().__init__("weft threads", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        found = all_threads()
        for thread in found:
            print(f"{thread.key():>8}  {thread.name() or '-':<20} {thread.state()}")
        print(f"{len(found)} green threads")


class Backtrace(gdb.Command):
    """Shows where a green thread stands.
Usage: weft bt all|[WORKER.]ID"""

    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for thread in chosen(argument.strip()):
            with At(thread):
                print(f"green thread {thread.key()} {thread.name() or '-'}: {thread.state()}")
                print_frames(gdb.selected_frame())


class Apply(gdb.Command):
    """Runs a command in the innermost frame of green threads.
Usage: weft apply all|[WORKER.]ID COMMAND"""

    def __init__(self):
        super().__init__("weft apply", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        word, _, command = argument.strip().partition(" ")
        if command.strip() == "bt":
            return gdb.execute(f"weft bt {word}", from_tty)
        for thread in chosen(word):
            with At(thread):
                print(f"green thread {thread.key()} {thread.name() or '-'}: {thread.state()}")
                gdb.execute(command, from_tty)
        return None


Weft()
Threads()
Backtrace()
Apply()
