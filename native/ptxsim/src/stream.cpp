#include "stream.h"

#include <chrono>

#include "context.h"

namespace ptxsim {

std::vector<std::unique_ptr<Stream>>& streams() {
    static std::vector<std::unique_ptr<Stream>> all;
    return all;
}

Stream* null_stream() {
    static Stream* stream = [] {
        streams().insert(streams().begin(), std::make_unique<Stream>());
        return streams().front().get();
    }();
    return stream;
}

void wait_for(Stream* stream, StreamPoint point) {
    if (point.stream != nullptr && point.ticket > point.stream->done) {
        stream->waits.push_back(point);
    }
}

Result enqueue(Stream* stream, std::function<Result()> run) {
    if (stream->capture != nullptr) {
        stream->capture->nodes.push_back(std::move(run));
        return Result::Success;
    }
    // The null stream and the blocking streams wait for each other, by the legacy rule.
    if (stream == null_stream()) {
        for (const auto& other : streams()) {
            if (other.get() != stream && other->blocking) {
                if (other->capture != nullptr) {
                    other->capture->broken = true;
                    return Result::StreamCaptureImplicit;
                }
                wait_for(stream, {other.get(), other->queued});
            }
        }
    } else if (stream->blocking) {
        wait_for(stream, {null_stream(), null_stream()->queued});
    }
    stream->queue.push_back({std::move(run), std::move(stream->waits)});
    stream->waits.clear();
    stream->queued++;
    return Result::Success;
}

Result run_until(StreamPoint point) {
    Stream* stream = point.stream;
    while (stream != nullptr && stream->done < point.ticket && !stream->queue.empty()) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        for (const StreamPoint& before : work.after) {
            run_until(before);
        }
        stream->done++;
        // After a fault nothing more runs: the context is lost.
        if (context().sticky == Result::Success) {
            const Result result = work.run();
            if (result != Result::Success) {
                context().sticky = result;
            }
        }
    }
    return context().sticky;
}

Result synchronise(Stream* stream) {
    if (stream == null_stream()) {
        // What the null stream would wait for if something were queued now.
        for (size_t k = 0; k < streams().size(); k++) {
            if (streams()[k]->blocking) {
                run_until({streams()[k].get(), streams()[k]->queued});
            }
        }
    }
    for (const StreamPoint& point : stream->waits) {
        run_until(point);
    }
    return run_until({stream, stream->queued});
}

Result synchronise_all() {
    for (size_t k = 0; k < streams().size(); k++) {
        run_until({streams()[k].get(), streams()[k]->queued});
    }
    return context().sticky;
}

void record(Event* event, Stream* stream) {
    event->recorded = true;
    event->polls = 0;
    enqueue(stream, [event] {
        event->done_ns = (u64)std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::steady_clock::now().time_since_epoch())
                             .count();
        return Result::Success;
    });
    event->at = {stream, stream->queued};
}

}  // namespace ptxsim
