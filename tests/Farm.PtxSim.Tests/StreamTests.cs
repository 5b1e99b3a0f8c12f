using System.Runtime.InteropServices;

namespace Farm.PtxSim.Tests;

/// <summary>Streams run as late as they may, events order them, captures become graphs.</summary>
[Collection("simulator")]
public sealed class StreamTests
{
    private static readonly Driver s_driver = Driver.Instance;
    private readonly nint _saxpy;

    public StreamTests()
    {
        _ = new Session();
        _saxpy = Session.Function(Session.Load(Repository.Compile("basics.cu")), "saxpy");
    }

    [Fact]
    public void Work_runs_only_when_somebody_waits()
    {
        nint stream = Stream(), pinned = Pinned(4);
        Marshal.WriteInt32(pinned, -1);
        ulong x = Value(3f), y = Value(1f);
        Session.Check(Saxpy(stream, x, y, 2));
        Session.Check(CopyOut(pinned, y, stream));
        Assert.Equal(-1, Marshal.ReadInt32(pinned));
        Session.Check(Call("cuStreamSynchronize", stream));
        Assert.Equal(7f, Float(pinned));
    }

    [Fact]
    public void Pinned_source_that_is_changed_too_early_is_seen()
    {
        nint stream = Stream(), pinned = Pinned(4);
        ulong y = Session.Allocate(4);
        Marshal.WriteInt32(pinned, 1);
        Session.Check(s_driver.Get<Driver.CopyInAsync>("cuMemcpyHtoDAsync_v2")(y, pinned, 4, stream));
        Marshal.WriteInt32(pinned, 2);
        Session.Check(Call("cuStreamSynchronize", stream));
        Assert.Equal(2, Session.Download<int>(y, 1)[0]);
    }

    [Fact]
    public void Event_makes_another_stream_run_first()
    {
        nint first = Stream(), second = Stream(), pinned = Pinned(4);
        ulong x = Value(3f), y = Value(1f);
        Session.Check(Saxpy(first, x, y, 2));
        nint done = Event();
        Session.Check(s_driver.Get<Driver.TwoHandles>("cuEventRecord")(done, first));
        Session.Check(s_driver.Get<Driver.WaitEvent>("cuStreamWaitEvent")(second, done, 0));
        Session.Check(CopyOut(pinned, y, second));
        Session.Check(Call("cuStreamSynchronize", second));
        Assert.Equal(7f, Float(pinned));
    }

    [Fact]
    public void Missing_event_shows_the_old_value()
    {
        nint first = Stream(1), second = Stream(1), pinned = Pinned(4);
        ulong x = Value(3f), y = Value(1f);
        Session.Check(Saxpy(first, x, y, 2));
        Session.Check(CopyOut(pinned, y, second));
        Session.Check(Call("cuStreamSynchronize", second));
        Assert.Equal(1f, Float(pinned));
        Session.Check(Session.Synchronize());
        Assert.Equal(7f, Session.Download<float>(y, 1)[0]);
    }

    [Fact]
    public void Elapsed_time_needs_both_events_done()
    {
        nint stream = Stream(), start = Event(), end = Event();
        Session.Check(s_driver.Get<Driver.TwoHandles>("cuEventRecord")(start, stream));
        Session.Check(Saxpy(stream, Value(3f), Value(1f), 2));
        Session.Check(s_driver.Get<Driver.TwoHandles>("cuEventRecord")(end, stream));
        Assert.Equal(600, s_driver.Get<Driver.Elapsed>("cuEventElapsedTime")(out _, start, end));
        Session.Check(Call("cuEventSynchronize", end));
        Session.Check(s_driver.Get<Driver.Elapsed>("cuEventElapsedTime")(out float milliseconds, start, end));
        Assert.InRange(milliseconds, 0, float.MaxValue);
    }

    [Fact]
    public void Capture_records_and_graph_launches_repeat()
    {
        nint stream = Stream();
        ulong x = Value(1f), y = Value(0f);
        Session.Check(s_driver.Get<Driver.BeginCapture>("cuStreamBeginCapture_v2")(stream, 0));
        Session.Check(Saxpy(stream, x, y, 1));
        Session.Check(Saxpy(stream, x, y, 10));
        Session.Check(s_driver.Get<Driver.EndCapture>("cuStreamEndCapture")(stream, out nint graph));
        Session.Check(s_driver.Get<Driver.Instantiate>("cuGraphInstantiateWithFlags")(out nint executable, graph, 0));
        Assert.Equal(0f, Session.Download<float>(y, 1)[0]);
        for (int step = 0; step < 3; step++)
        {
            Session.Check(s_driver.Get<Driver.TwoHandles>("cuGraphLaunch")(executable, stream));
        }

        Session.Check(Call("cuStreamSynchronize", stream));
        Assert.Equal(33f, Session.Download<float>(y, 1)[0]);
        Session.Check(Call("cuGraphExecDestroy", executable));
        Session.Check(Call("cuGraphDestroy", graph));
    }

    [Fact]
    public void Synchronising_call_spoils_a_capture()
    {
        nint stream = Stream();
        Session.Check(s_driver.Get<Driver.BeginCapture>("cuStreamBeginCapture_v2")(stream, 0));
        Assert.Equal(900, Session.TryAllocate(16, out _));
        Assert.Equal(901, s_driver.Get<Driver.EndCapture>("cuStreamEndCapture")(stream, out _));
    }

    [Fact]
    public void Destroyed_handles_are_refused()
    {
        nint stream = Stream(), done = Event();
        Session.Check(Call("cuStreamDestroy_v2", stream));
        Session.Check(Call("cuEventDestroy_v2", done));
        Assert.Equal(400, Call("cuStreamSynchronize", stream));
        Assert.Equal(400, Call("cuEventSynchronize", done));
    }

    private static int Call(string name, nint handle) => s_driver.Get<Driver.Handle>(name)(handle);

    private static nint Stream(int flags = 0)
    {
        Session.Check(s_driver.Get<Driver.OutHandleInt>("cuStreamCreate")(out nint stream, flags));
        return stream;
    }

    private static nint Event()
    {
        Session.Check(s_driver.Get<Driver.OutHandleInt>("cuEventCreate")(out nint handle, 0));
        return handle;
    }

    private static nint Pinned(int bytes)
    {
        Session.Check(s_driver.Get<Driver.AllocateHost>("cuMemAllocHost_v2")(out nint pointer, (nuint)bytes));
        return pointer;
    }

    private static ulong Value(float value) => Session.Upload<float>([value]);

    private static float Float(nint pointer) => BitConverter.Int32BitsToSingle(Marshal.ReadInt32(pointer));

    private static int CopyOut(nint to, ulong from, nint stream) => s_driver.Get<Driver.CopyOutAsync>("cuMemcpyDtoHAsync_v2")(to, from, 4, stream);

    private int Saxpy(nint stream, ulong x, ulong y, float a) => Session.Launch(_saxpy, (1, 1, 1), (32, 1, 1), 0, stream, x, y, a, 1u);
}
