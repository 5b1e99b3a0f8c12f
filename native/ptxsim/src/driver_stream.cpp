// Streams, events and graphs.
#include "context.h"

namespace ptxsim {

namespace {

Stream* stream_of(void* handle) {
    if ((u64)handle <= 2) {
        return null_stream();
    }
    return owns(streams(), handle) ? static_cast<Stream*>(handle) : nullptr;
}

Event* event_of(void* handle) {
    return owns(context().events, handle) ? static_cast<Event*>(handle) : nullptr;
}

Graph* graph_of(void* handle) {
    return owns(context().graphs, handle) ? static_cast<Graph*>(handle) : nullptr;
}

/// A synchronising call on a stream that captures cannot be recorded; it ends the capture in failure.
Result refuse_capture(Stream* stream) {
    stream->capture->broken = true;
    return Result::StreamCaptureUnsupported;
}

}  // namespace

PTXSIM_EXPORT Result cuStreamCreate(void** handle, unsigned flags) {
    const ApiLock lock;
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    if (handle == nullptr || flags > 1) {
        return Result::InvalidValue;
    }
    null_stream();
    streams().push_back(std::make_unique<Stream>());
    streams().back()->blocking = flags == 0;
    *handle = streams().back().get();
    return Result::Success;
}

PTXSIM_EXPORT Result cuStreamCreateWithPriority(void** handle, unsigned flags, int) {
    return cuStreamCreate(handle, flags);
}

PTXSIM_EXPORT Result cuStreamSynchronize(void* handle) {
    const ApiLock lock;
    const Result state = ready();
    Stream* stream = stream_of(handle);
    if (state != Result::Success || stream == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    return stream->capture != nullptr ? refuse_capture(stream) : synchronise(stream);
}

PTXSIM_EXPORT Result cuStreamQuery(void* handle) {
    const ApiLock lock;
    const Result state = ready();
    Stream* stream = stream_of(handle);
    if (state != Result::Success || stream == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (stream->capture != nullptr) {
        return refuse_capture(stream);
    }
    // Not ready once, then done: a host that polls gets on, one that does not is found out.
    if (stream->queue.empty()) {
        return Result::Success;
    }
    synchronise(stream);
    return context().sticky == Result::Success ? Result::NotReady : context().sticky;
}

PTXSIM_EXPORT Result cuStreamDestroy_v2(void* handle) {
    const ApiLock lock;
    Stream* stream = stream_of(handle);
    if (stream == nullptr || stream == null_stream()) {
        return Result::InvalidHandle;
    }
    synchronise(stream);
    // Events and waits may still name the stream; what they wait for has run.
    for (const auto& event : context().events) {
        if (event->at.stream == stream) {
            event->at = {};
        }
    }
    const auto forget = [stream](std::vector<StreamPoint>& points) {
        std::erase_if(points, [stream](const StreamPoint& p) { return p.stream == stream; });
    };
    for (const auto& other : streams()) {
        forget(other->waits);
        for (Work& work : other->queue) {
            forget(work.after);
        }
    }
    drop(streams(), stream);
    return context().sticky;
}

PTXSIM_EXPORT Result cuStreamWaitEvent(void* stream_handle, void* event_handle, unsigned) {
    const ApiLock lock;
    const Result state = ready();
    Stream* stream = stream_of(stream_handle);
    Event* event = event_of(event_handle);
    if (state != Result::Success || stream == nullptr || event == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (!event->recorded) {
        return Result::Success;
    }
    // Waiting for an event of a capture joins it: nodes run in the order they were recorded, which honours the wait.
    if (event->at.stream != nullptr && event->at.stream->capture != nullptr) {
        stream->capture = event->at.stream->capture;
        return Result::Success;
    }
    wait_for(stream, event->at);
    return Result::Success;
}

PTXSIM_EXPORT Result cuEventCreate(void** handle, unsigned flags) {
    const ApiLock lock;
    const Result state = ready();
    if (state != Result::Success) {
        return state;
    }
    context().events.push_back(std::make_unique<Event>());
    context().events.back()->timed = (flags & 2) == 0;
    *handle = context().events.back().get();
    return Result::Success;
}

PTXSIM_EXPORT Result cuEventRecord(void* event_handle, void* stream_handle) {
    const ApiLock lock;
    const Result state = ready();
    Stream* stream = stream_of(stream_handle);
    Event* event = event_of(event_handle);
    if (state != Result::Success || stream == nullptr || event == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    record(event, stream);
    return Result::Success;
}

PTXSIM_EXPORT Result cuEventSynchronize(void* handle) {
    const ApiLock lock;
    const Result state = ready();
    Event* event = event_of(handle);
    if (state != Result::Success || event == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (event->at.stream != nullptr && event->at.stream->capture != nullptr) {
        return refuse_capture(event->at.stream);
    }
    return event->recorded ? run_until(event->at) : Result::Success;
}

PTXSIM_EXPORT Result cuEventQuery(void* handle) {
    const ApiLock lock;
    const Result state = ready();
    Event* event = event_of(handle);
    if (state != Result::Success || event == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (!event->recorded || event->at.stream == nullptr || event->at.stream->done >= event->at.ticket) {
        return Result::Success;
    }
    if (event->polls++ == 0) {
        return Result::NotReady;
    }
    return run_until(event->at);
}

PTXSIM_EXPORT Result cuEventElapsedTime(float* milliseconds, void* start_handle, void* end_handle) {
    const ApiLock lock;
    const Result state = ready();
    const Event *start = event_of(start_handle), *end = event_of(end_handle);
    if (state != Result::Success || start == nullptr || end == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (!start->recorded || !end->recorded || !start->timed || !end->timed) {
        return Result::InvalidHandle;
    }
    for (const Event* event : {start, end}) {
        if (event->at.stream != nullptr && event->at.stream->done < event->at.ticket) {
            return Result::NotReady;
        }
    }
    *milliseconds = (float)((double)(i64)(end->done_ns - start->done_ns) * 1e-6);
    return Result::Success;
}

PTXSIM_EXPORT Result cuEventDestroy_v2(void* handle) {
    const ApiLock lock;
    Event* event = event_of(handle);
    if (event == nullptr) {
        return Result::InvalidHandle;
    }
    // The queued record would write into it.
    if (event->at.stream != nullptr && event->at.stream->capture == nullptr) {
        run_until(event->at);
    }
    drop(context().events, handle);
    return Result::Success;
}

PTXSIM_EXPORT Result cuStreamBeginCapture_v2(void* handle, int mode) {
    const ApiLock lock;
    const Result state = ready();
    Stream* stream = stream_of(handle);
    if (state != Result::Success || stream == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    if (stream == null_stream() || mode < 0 || mode > 2) {
        return stream == null_stream() ? Result::StreamCaptureUnsupported : Result::InvalidValue;
    }
    if (stream->capture != nullptr) {
        return Result::IllegalState;
    }
    context().graphs.push_back(std::make_unique<Graph>());
    stream->capture = context().graphs.back().get();
    stream->capture->mode = (u32)mode;
    stream->capture->origin = stream;
    return Result::Success;
}

PTXSIM_EXPORT Result cuStreamEndCapture(void* handle, void** graph_handle) {
    const ApiLock lock;
    Stream* stream = stream_of(handle);
    if (stream == nullptr || graph_handle == nullptr) {
        return Result::InvalidValue;
    }
    if (stream->capture == nullptr) {
        return Result::IllegalState;
    }
    Graph* graph = stream->capture;
    if (graph->origin != stream) {
        graph->broken = true;
        return Result::StreamCaptureUnmatched;
    }
    for (const auto& other : streams()) {
        if (other->capture == graph) {
            other->capture = nullptr;
        }
    }
    if (graph->broken) {
        drop(context().graphs, graph);
        *graph_handle = nullptr;
        return Result::StreamCaptureInvalidated;
    }
    *graph_handle = graph;
    return Result::Success;
}

PTXSIM_EXPORT Result cuStreamIsCapturing(void* handle, int* status) {
    const ApiLock lock;
    const Stream* stream = stream_of(handle);
    if (stream == nullptr) {
        return Result::InvalidHandle;
    }
    *status = stream->capture == nullptr ? 0 : stream->capture->broken ? 2 : 1;
    return Result::Success;
}

PTXSIM_EXPORT Result cuGraphInstantiateWithFlags(void** executable, void* handle, unsigned long long) {
    const ApiLock lock;
    const Result state = ready();
    const Graph* graph = graph_of(handle);
    if (state != Result::Success || graph == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    context().graphs.push_back(std::make_unique<Graph>(*graph));
    *executable = context().graphs.back().get();
    return Result::Success;
}

PTXSIM_EXPORT Result cuGraphLaunch(void* handle, void* stream_handle) {
    const ApiLock lock;
    const Result state = ready();
    const Graph* graph = graph_of(handle);
    Stream* stream = stream_of(stream_handle);
    if (state != Result::Success || graph == nullptr || stream == nullptr) {
        return state != Result::Success ? state : Result::InvalidHandle;
    }
    for (const auto& node : graph->nodes) {
        const Result result = enqueue(stream, node);
        if (result != Result::Success) {
            return result;
        }
    }
    return Result::Success;
}

PTXSIM_EXPORT Result cuGraphGetNodes(void* handle, void** nodes, size_t* count) {
    const ApiLock lock;
    const Graph* graph = graph_of(handle);
    if (graph == nullptr || count == nullptr) {
        return Result::InvalidValue;
    }
    if (nodes != nullptr) {
        for (size_t k = 0; k < *count; k++) {
            nodes[k] = k < graph->nodes.size() ? (void*)&graph->nodes[k] : nullptr;
        }
    }
    *count = graph->nodes.size();
    return Result::Success;
}

PTXSIM_EXPORT Result cuGraphExecDestroy(void* handle) {
    const ApiLock lock;
    return drop(context().graphs, handle) ? Result::Success : Result::InvalidHandle;
}

PTXSIM_EXPORT Result cuGraphDestroy(void* handle) {
    const ApiLock lock;
    return drop(context().graphs, handle) ? Result::Success : Result::InvalidHandle;
}

}  // namespace ptxsim
