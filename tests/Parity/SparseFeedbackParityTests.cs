using Farm.Annotation.SparseFeedback;

namespace Parity;

/// <summary>Sparse Feedback's published sample, byte for byte and number for number.</summary>
public class SparseFeedbackParityTests
{
    private static string File(string name) => Shared.Path("data", "sparse_feedback", "alpaca_generation", name);

    [Fact]
    public void Should_find_the_published_consistency()
    {
        var consistency = Consistency.Of(
            SparseFiles.ReadRatings(File("feedback_ratings_sample_generation.csv")), SparseFiles.ReadRankings(File("feedback_rankings_sample_generation.csv")));
        Assert.Equal((97, 118, 117), (consistency.Ratings, consistency.Rankings, consistency.Total));
        Assert.Equal([[21, 11, 7], [8, 19, 10], [9, 6, 26]], consistency.Matrix);
        Assert.Equal(56.41025641025641, consistency.Percent);
    }

    [Fact]
    public void Should_make_the_published_input_files() => Assert.Multiple(
        () => Same("ratings_sample_generation.csv", SparseFiles.WriteResponses(SparseConversions.Responses(File("sample_generation.json")))),
        () => Same("rankings_sample_generation.csv", SparseFiles.WritePairs(SparseConversions.Pairs(File("sample_generation.json")))));

    [Fact]
    public void Should_make_the_published_reward_data() =>
        Same("feedback_rankings_for_rm_sample.json", SparseConversions.RewardData(SparseFiles.ReadRankings(File("feedback_rankings_sample_generation.csv"))));

    [Fact]
    public void Should_write_the_published_files_as_they_are() => Assert.Multiple(
        () => Same("feedback_ratings_sample_generation.csv", SparseFiles.WriteRatings(SparseFiles.ReadRatings(File("feedback_ratings_sample_generation.csv")))),
        () => Same("feedback_rankings_sample_generation.csv", SparseFiles.WriteRankings(SparseFiles.ReadRankings(File("feedback_rankings_sample_generation.csv")))),
        () => Same("ratings_sample_generation.csv", SparseFiles.WriteResponses(SparseFiles.ReadResponses(File("ratings_sample_generation.csv")))),
        () => Same("rankings_sample_generation.csv", SparseFiles.WritePairs(SparseFiles.ReadPairs(File("rankings_sample_generation.csv")))));

    private static void Same(string name, string text) => Assert.Equal(System.IO.File.ReadAllBytes(File(name)), System.Text.Encoding.UTF8.GetBytes(text));
}
