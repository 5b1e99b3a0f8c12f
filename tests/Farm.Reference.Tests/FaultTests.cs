using System.Reflection;
using Farm.Conformance;
using Farm.Core;
using Xunit.Sdk;

namespace Farm.Reference.Tests;

/// <summary>The suite fails for each of a list of faults, in the test that is there for it.</summary>
public class FaultTests
{
    [Theory]
    [InlineData(Fault.LinearDropsTheLastFeature, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.LinearRoundsActivationsToBfloat16, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.LinearForgetsAccumulation, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.LinearForgetsBias, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.LinearWritesBeside, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.LinearLeavesTheLastRow, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.IntegerLinearSharesOneScaleForTheRow, nameof(BackendConformance.Linear_matches_the_reference))]
    [InlineData(Fault.LinearDependsOnTheBatch, nameof(BackendConformance.A_row_is_bitwise_the_same_in_any_batch))]
    [InlineData(Fault.ThreadsChangeTheResult, nameof(BackendConformance.Results_are_bitwise_the_same_for_any_number_of_threads))]
    [InlineData(Fault.PackAcceptsNaN, nameof(BackendConformance.PackLinear_names_the_part_and_row_of_a_value_that_is_not_finite))]
    [InlineData(Fault.RmsNormForgetsEpsilon, nameof(BackendConformance.RmsNorm_matches_the_reference))]
    [InlineData(Fault.RopePairsNeighbours, nameof(BackendConformance.RopeAppendKv_rotates_in_place_and_appends))]
    [InlineData(Fault.AttentionSeesTheFuture, nameof(BackendConformance.Attention_matches_the_reference))]
    [InlineData(Fault.AttentionForgetsThePrefix, nameof(BackendConformance.Attention_matches_the_reference))]
    [InlineData(Fault.AttentionScalesTwice, nameof(BackendConformance.Attention_matches_the_reference))]
    [InlineData(Fault.AttentionInterleavesKeyHeads, nameof(BackendConformance.Attention_matches_the_reference))]
    [InlineData(Fault.SampleIgnoresTheSampleIndex, nameof(BackendConformance.Sample_draws_the_token_of_the_exact_distribution))]
    [InlineData(Fault.SampleIgnoresTheSampleIndex, nameof(BackendConformance.A_different_seed_or_key_changes_the_draws))]
    [InlineData(Fault.SampleOrdersByProbability, nameof(BackendConformance.Sample_draws_the_token_of_the_exact_distribution))]
    [InlineData(Fault.SampleReportsTheTemperedLogProb, nameof(BackendConformance.Sample_draws_the_token_of_the_exact_distribution))]
    [InlineData(Fault.SampleKeepsOneTokenTooMany, nameof(BackendConformance.Ties_at_the_edge_of_a_filter_keep_the_lower_ids))]
    [InlineData(Fault.SampleKeepsOneTokenTooMany, nameof(BackendConformance.Draws_follow_the_exact_probabilities))]
    [InlineData(Fault.EntropyInBits, nameof(BackendConformance.LogProbGather_matches_the_reference))]
    [InlineData(Fault.CopyTruncates, nameof(BackendConformance.Copy_converts_with_rounding_to_nearest_even))]
    public void A_fault_fails_the_test_that_is_there_for_it(Fault fault, string test)
    {
        var method = typeof(BackendConformance).GetMethod(test)!;
        bool noticed = method.GetCustomAttributes<DataAttribute>().SelectMany(d => d.GetData(method)).DefaultIfEmpty([])
            .Any(arguments => Fails(method, fault, arguments));
        Assert.True(noticed, $"{test} does not notice {fault}");
    }

    [Fact]
    public void Without_a_fault_the_same_tests_pass() =>
        Assert.False(Fails(typeof(BackendConformance).GetMethod(nameof(BackendConformance.Linear_refuses_wrong_shapes))!, Fault.None, []));

    private static bool Fails(MethodInfo method, Fault fault, object?[] arguments)
    {
        using var suite = new Suite(fault);
        try
        {
            method.Invoke(suite, arguments);
            return false;
        }
        catch (TargetInvocationException e) when (e.InnerException is XunitException)
        {
            return true;
        }
    }

    private sealed class Suite(Fault fault) : BackendConformance
    {
        protected override IBackend CreateBackend(int threads) => new FaultyBackend(fault, threads);
    }
}
