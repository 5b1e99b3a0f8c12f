using System.Runtime.InteropServices;

namespace Farm.PtxSim.Tests;

/// <summary>What the device looks like, its limits, and what goes wrong when a test asks for it.</summary>
[Collection("simulator")]
public sealed class DeviceTests
{
    private static readonly Driver s_driver = Driver.Instance;

    public DeviceTests() => _ = new Session();

    [Fact]
    public void Attributes_follow_the_settings()
    {
        Session.Configure("COMPUTE_CAPABILITY", "75");
        Session.Configure("MULTIPROCESSORS", "46");
        Session.Configure("SHARED_OPTIN", "65536");
        Session.Configure("DRIVER_VERSION", "11020");
        Assert.Equal((7, 5, 46, 65536), (Attribute(75), Attribute(76), Attribute(16), Attribute(97)));
        Session.Check(s_driver.Get<Driver.OutInt>("cuDriverGetVersion")(out int version));
        Assert.Equal(11020, version);
    }

    [Fact]
    public void Module_for_a_newer_device_is_refused()
    {
        Session.Configure("COMPUTE_CAPABILITY", "75");
        Assert.Equal(Session.InvalidPtx, Session.TryLoad(Repository.Compile("basics.cu"), out _));
        Assert.Contains("sm_80", Session.Report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("NO_SUCH_KEY", "1")]
    [InlineData("ASYNC", "sometimes")]
    [InlineData("THREADS", "0")]
    [InlineData("DEVICE_MEMORY", "-5")]
    [InlineData("DEVICE_MEMORY", "4G")]
    public void Settings_that_mean_nothing_are_refused(string key, string value)
    {
        Assert.Equal(1, Session.TryConfigure(key, value));
        Assert.Contains(key == "NO_SUCH_KEY" ? key : value, Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_ends_where_the_setting_says()
    {
        Session.Configure("DEVICE_MEMORY", "1048576");
        ulong first = Session.Allocate(600_000);
        Assert.Equal(Session.OutOfMemory, Session.TryAllocate(600_000, out _));
        Session.Check(s_driver.Get<Driver.Free>("cuMemFree_v2")(first));
        Session.Allocate(600_000);
        Assert.Equal(1ul, Session.LiveBuffers);
    }

    [Fact]
    public void Fresh_memory_is_not_a_number()
    {
        Assert.All(Session.Download<float>(Session.Allocate(4000), 1000), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void Copies_keep_to_their_buffer()
    {
        ulong address = Session.Allocate(100);
        Assert.Equal(Session.InvalidValue, Session.TryDownload(address, new float[26]));
        Assert.Contains("cuMemcpyDtoH reads 104 bytes", Session.Report, StringComparison.Ordinal);
        Session.Check(s_driver.Get<Driver.Free>("cuMemFree_v2")(address));
        Assert.Equal(Session.InvalidValue, Session.TryDownload(address, new float[1]));
        Assert.Equal(Session.InvalidValue, s_driver.Get<Driver.Free>("cuMemFree_v2")(address));
    }

    [Fact]
    public void Buffer_freed_before_its_kernel_runs_is_waited_for()
    {
        nint saxpy = Session.Function(Session.Load(Repository.Compile("basics.cu")), "saxpy");
        ulong x = Session.Upload(new float[64]), y = Session.Upload(new float[64]);
        Session.Check(Session.Launch(saxpy, (1, 1, 1), (64, 1, 1), 0, 0, x, y, 1f, 64u));
        Session.Check(s_driver.Get<Driver.Free>("cuMemFree_v2")(x));
        Session.Check(Session.Synchronize());
        Session.Check(Session.Launch(saxpy, (1, 1, 1), (64, 1, 1), 0, 0, x, y, 1f, 64u));
        Assert.Equal(Session.IllegalAddress, Session.Synchronize());
    }

    [Fact]
    public void Injected_errors_come_once_and_where_they_were_asked_for()
    {
        nint saxpy = Session.Function(Session.Load(Repository.Compile("basics.cu")), "saxpy");
        object[] arguments = [Session.Upload(new float[32]), Session.Upload(new float[32]), 1f, 32u];
        Session.Configure("FAIL_ALLOC", "2");
        Session.Allocate(16);
        Assert.Equal(Session.OutOfMemory, Session.TryAllocate(16, out _));
        Session.Allocate(16);
        Session.Configure("FAIL_LAUNCH", "2");
        Session.Check(Session.Run(saxpy, 1, 32, arguments));
        Assert.Equal(Session.LaunchFailed, Session.Run(saxpy, 1, 32, arguments));
        Assert.Contains("kernel saxpy fails", Session.Report, StringComparison.Ordinal);
        Assert.Contains("block (32,1,1)", Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Lost_device_and_failing_start_are_told_as_a_driver_tells_them()
    {
        nint saxpy = Session.Function(Session.Load(Repository.Compile("basics.cu")), "saxpy");
        Session.Configure("LOSE_DEVICE", "1");
        Assert.Equal(46, Session.Run(saxpy, 1, 32, Session.Upload(new float[32]), Session.Upload(new float[32]), 1f, 32u));
        Session.Configure("INIT_ERROR", "100");
        Assert.Equal(100, Session.Init());
    }

    [Theory]
    [InlineData(0u, 32u, 0u)]
    [InlineData(1u, 1025u, 0u)]
    [InlineData(1u, 32u, 49153u)]
    public void Launches_beyond_the_limits_are_refused(uint grid, uint block, uint shared)
    {
        nint reverse = Session.Function(Session.Load(Repository.Compile("basics.cu")), "reverse");
        Assert.Equal(Session.InvalidValue, Session.Launch(reverse, (grid, 1, 1), (block, 1, 1), shared, 0, 0ul, 0ul));
        Assert.Contains("kernel reverse", Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Block_larger_than_the_kernel_was_compiled_for_is_refused()
    {
        nint sum = Session.Function(Session.Load(Repository.Compile("basics.cu")), "block_sum");
        Assert.Equal(Session.InvalidValue, Session.Run(sum, 1, 256, 0ul, 0ul, 1u));
        Assert.Contains("at most 128", Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void More_dynamic_shared_memory_needs_the_attribute_first()
    {
        nint reverse = Session.Function(Session.Load(Repository.Compile("basics.cu")), "reverse");
        var set = s_driver.Get<Driver.SetAttribute>("cuFuncSetAttribute");
        Assert.Equal(Session.InvalidValue, set(reverse, 8, 200_000));
        Session.Check(set(reverse, 8, 100_000));
        ulong data = Session.Upload(new uint[128]);
        Session.Check(Session.Launch(reverse, (1, 1, 1), (128, 1, 1), 100_000, 0, data, data));
        Session.Check(Session.Synchronize());
    }

    [Fact]
    public void Error_codes_have_names()
    {
        Session.Check(s_driver.Get<Driver.ErrorText>("cuGetErrorName")(700, out nint name));
        Assert.Equal("CUDA_ERROR_ILLEGAL_ADDRESS", Marshal.PtrToStringUTF8(name));
        Assert.Equal(Session.InvalidValue, s_driver.Get<Driver.ErrorText>("cuGetErrorName")(12345, out _));
    }

    private static int Attribute(int which)
    {
        Session.Check(s_driver.Get<Driver.Attribute>("cuDeviceGetAttribute")(out int value, which, 0));
        return value;
    }
}
