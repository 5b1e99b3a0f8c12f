// Streams are lazy: work waits in its queue until something synchronises, so that host code that reads too early is
// found out.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api.h"
#include "warp.h"

namespace ptxsim {

struct Stream;

/// A point in a stream: everything queued there before `ticket` has run.
struct StreamPoint {
    Stream* stream = nullptr;
    u64 ticket = 0;
};

struct Event {
    StreamPoint at;  // of the last record
    bool recorded = false;
    bool timed = true;
    u64 done_ns = 0;  // when the record ran
    u32 polls = 0;
};

struct Work {
    std::function<Result()> run;
    std::vector<StreamPoint> after;
};

struct Graph;

struct Stream {
    std::deque<Work> queue;
    u64 queued = 0, done = 0;
    bool blocking = true;  // synchronises with the null stream
    Graph* capture = nullptr;
    std::vector<StreamPoint> waits;  // for the next work
};

struct Graph {
    std::vector<std::function<Result()>> nodes;
    bool broken = false;
    u32 mode = 0;
    Stream* origin = nullptr;
};

/// Adds work (or a node, while the stream captures).
Result enqueue(Stream* stream, std::function<Result()> run);
void wait_for(Stream* stream, StreamPoint point);
/// Runs a stream's work up to a point, and what it depends on. An error sticks to the context.
Result run_until(StreamPoint point);
Result synchronise(Stream* stream);
Result synchronise_all();
void record(Event* event, Stream* stream);
Stream* null_stream();
std::vector<std::unique_ptr<Stream>>& streams();

}  // namespace ptxsim
