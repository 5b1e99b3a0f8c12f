using System.Reflection;
using Farm.Conformance;
using Farm.Core;
using Xunit.Sdk;

namespace Farm.Reference.Tests;

/// <summary>The training suite fails for each of a list of faults, in the test that is there for it.</summary>
public class TrainingFaultTests
{
    [Theory]
    [InlineData(TrainingFault.MatMulForgetsAccumulation, nameof(TrainingConformance.MatMul_matches_the_reference))]
    [InlineData(TrainingFault.MatMulDropsTheLastProduct, nameof(TrainingConformance.MatMul_matches_the_reference))]
    [InlineData(TrainingFault.MatMulRoundsToBfloat16, nameof(TrainingConformance.MatMul_matches_the_reference))]
    [InlineData(TrainingFault.MatMulWritesBeside, nameof(TrainingConformance.MatMul_matches_the_reference))]
    [InlineData(TrainingFault.RmsNormBackwardOverwrites, nameof(TrainingConformance.RmsNormBackward_matches_the_reference))]
    [InlineData(TrainingFault.RmsNormBackwardForgetsEpsilon, nameof(TrainingConformance.RmsNormBackward_matches_the_reference))]
    [InlineData(TrainingFault.RmsNormBackwardCountsARowTwice, nameof(TrainingConformance.RmsNormBackward_matches_the_reference))]
    [InlineData(TrainingFault.RopeBackwardTurnsForward, nameof(TrainingConformance.RopeBackward_matches_the_reference))]
    [InlineData(TrainingFault.RopeBackwardTurnsForward, nameof(TrainingConformance.RopeBackward_undoes_the_rotation))]
    [InlineData(TrainingFault.AttentionJoinsSequences, nameof(TrainingConformance.Attention_and_its_backward_match_the_reference))]
    [InlineData(TrainingFault.AttentionBackwardForgetsOwnTerm, nameof(TrainingConformance.Attention_and_its_backward_match_the_reference))]
    [InlineData(TrainingFault.AttentionBackwardJoinsSequences, nameof(TrainingConformance.Attention_and_its_backward_match_the_reference))]
    [InlineData(TrainingFault.AttentionBackwardJoinsSequences, nameof(TrainingConformance.A_sequence_is_bitwise_the_same_alone_and_in_a_packed_batch))]
    [InlineData(TrainingFault.SwiGluBackwardReadsWhatItWrote, nameof(TrainingConformance.SwiGlu_and_its_backward_match_the_reference))]
    [InlineData(TrainingFault.EmbeddingBackwardKeepsTheLastOfEqualIds, nameof(TrainingConformance.EmbeddingBackward_matches_the_reference))]
    [InlineData(TrainingFault.CrossEntropyCountsIgnoredRows, nameof(TrainingConformance.LinearCrossEntropy_matches_the_reference))]
    [InlineData(TrainingFault.CrossEntropyForgetsScales, nameof(TrainingConformance.LinearCrossEntropy_matches_the_reference))]
    [InlineData(TrainingFault.CrossEntropyOverwrites, nameof(TrainingConformance.LinearCrossEntropy_matches_the_reference))]
    [InlineData(TrainingFault.SumOfSquaresInSingle, nameof(TrainingConformance.SumOfSquares_is_taken_in_float64))]
    [InlineData(TrainingFault.AdamWForgetsDecay, nameof(TrainingConformance.AdamW_matches_the_reference_over_several_steps))]
    [InlineData(TrainingFault.AdamWForgetsDecay, nameof(TrainingConformance.AdamW_with_no_gradient_only_decays))]
    [InlineData(TrainingFault.AdamWForgetsBiasCorrection, nameof(TrainingConformance.AdamW_matches_the_reference_over_several_steps))]
    [InlineData(TrainingFault.AdamWForgetsGradientScale, nameof(TrainingConformance.AdamW_matches_the_reference_over_several_steps))]
    [InlineData(TrainingFault.ThreadsChangeTheResult,
        nameof(TrainingConformance.Results_are_bitwise_the_same_for_any_number_of_threads_and_any_run))]
    public void A_fault_fails_the_test_that_is_there_for_it(TrainingFault fault, string test)
    {
        var method = typeof(TrainingConformance).GetMethod(test)!;
        bool noticed = method.GetCustomAttributes<DataAttribute>().SelectMany(d => d.GetData(method)).DefaultIfEmpty([])
            .Any(arguments => Fails(method, fault, arguments));
        Assert.True(noticed, $"{test} does not notice {fault}");
    }

    [Fact]
    public void Without_a_fault_the_same_tests_pass() =>
        Assert.False(Fails(typeof(TrainingConformance).GetMethod(nameof(TrainingConformance.Attention_refuses_wrong_shapes))!,
            TrainingFault.None, []));

    private static bool Fails(MethodInfo method, TrainingFault fault, object?[] arguments)
    {
        try
        {
            method.Invoke(new Suite(fault), arguments);
            return false;
        }
        catch (TargetInvocationException e) when (e.InnerException is XunitException)
        {
            return true;
        }
    }

    private sealed class Suite(TrainingFault fault) : TrainingConformance
    {
        protected override ITrainingBackend CreateBackend(int threads) => new FaultyTrainingBackend(fault, threads);
    }
}
