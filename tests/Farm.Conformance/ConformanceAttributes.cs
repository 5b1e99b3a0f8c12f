using Xunit.Abstractions;
using Xunit.Sdk;

namespace Farm.Conformance;

/// <summary>
/// Put on a class derived from <see cref="BackendConformance"/> whose backend is not present on every machine; a subclass says why
/// it is absent here, and the class's tests are then reported as skipped.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public abstract class BackendAvailabilityAttribute : Attribute
{
    /// <summary>Why the backend cannot run on this machine; null when it can.</summary>
    public abstract string? SkipReason { get; }
}

/// <summary>A test of the suite.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("Farm.Conformance.ConformanceFactDiscoverer", "Farm.Conformance")]
public sealed class ConformanceFactAttribute : FactAttribute;

/// <summary>A test of the suite that runs once for each of its cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("Farm.Conformance.ConformanceTheoryDiscoverer", "Farm.Conformance")]
public sealed class ConformanceTheoryAttribute : TheoryAttribute;

/// <summary>Finds facts, or reports them as skipped where the backend is absent.</summary>
public sealed class ConformanceFactDiscoverer(IMessageSink diagnosticMessageSink) : FactDiscoverer(diagnosticMessageSink)
{
    /// <inheritdoc/>
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod,
        IAttributeInfo factAttribute) =>
        Availability.Skipped(DiagnosticMessageSink, discoveryOptions, testMethod) ?? base.Discover(discoveryOptions, testMethod,
            factAttribute);
}

/// <summary>Finds theories, or reports them as skipped where the backend is absent.</summary>
public sealed class ConformanceTheoryDiscoverer(IMessageSink diagnosticMessageSink) : TheoryDiscoverer(diagnosticMessageSink)
{
    /// <inheritdoc/>
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod,
        IAttributeInfo theoryAttribute) =>
        Availability.Skipped(DiagnosticMessageSink, discoveryOptions, testMethod) ?? base.Discover(discoveryOptions, testMethod,
            theoryAttribute);
}

internal static class Availability
{
    public static IEnumerable<IXunitTestCase>? Skipped(IMessageSink sink, ITestFrameworkDiscoveryOptions options, ITestMethod method)
    {
        var attribute = (BackendAvailabilityAttribute?)Attribute.GetCustomAttribute(
            method.TestClass.Class.ToRuntimeType(), typeof(BackendAvailabilityAttribute));
        return attribute?.SkipReason is { } reason
            ? [new XunitSkippedDataRowTestCase(sink, options.MethodDisplayOrDefault(), options.MethodDisplayOptionsOrDefault(), method,
                reason)]
            : null;
    }
}
