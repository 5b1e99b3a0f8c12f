using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Tests.Checkpoints;

namespace Farm.Models.Tests.Configuration;

public class RewardModelConfigTests
{
    private static readonly ModelConfig Backbone = ModelShapes.Get("tiny");

    [Fact]
    public void The_backbone_is_found_beside_the_folder_before_the_working_directory()
    {
        using var root = new TempFolder();
        Backbone.Save(root.File("models/sft"));
        (Backbone with { HiddenSize = 576 }).Save(root.File("work/sft"));
        Write(root.File("models/rm"), """{"model_type": "reward_model", "backbone_model_name_or_path": "../sft"}""");
        Write(root.File("models/rm2"), """{"model_type": "reward_model", "backbone_model_name_or_path": "sft"}""");
        Write(root.File("models/rm3"), $$"""{"model_type": "reward_model", "backbone_model_name_or_path": "{{root.File("models/sft")}}"}""");

        var beside = RewardModelConfig.TryLoad(root.File("models/rm"), root.File("work"))!;
        Assert.Equal((288, root.File("models/sft")), (beside.Backbone.HiddenSize, beside.BackboneFolder));
        Assert.Equal(576, RewardModelConfig.TryLoad(root.File("models/rm2"), root.File("work"))!.Backbone.HiddenSize);
        Assert.Equal(288, RewardModelConfig.TryLoad(root.File("models/rm3"), root.File("work"))!.Backbone.HiddenSize);
    }

    [Fact]
    public void A_folder_may_hold_the_backbone_s_fields_itself()
    {
        using var root = new TempFolder();
        var qwen = ModelShapes.Get("qwen2-0.5b");
        RewardModelConfig.Save(qwen, "no/such/folder", root.Path);
        var loaded = RewardModelConfig.TryLoad(root.Path)!;
        Assert.Equal(root.Path, loaded.BackboneFolder);
        Assert.Equal(qwen, loaded.Backbone with { EosIds = qwen.EosIds });
        Assert.Contains("no/such/folder", File.ReadAllText(root.File("config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_decoder_is_not_a_reward_model()
    {
        using var root = new TempFolder();
        Backbone.Save(root.Path);
        Assert.Null(RewardModelConfig.TryLoad(root.Path));
    }

    [Theory]
    [InlineData("""{"model_type": "reward_model"}""", "'backbone_model_name_or_path' is missing")]
    [InlineData("""{"model_type": "reward_model", "backbone_model_name_or_path": ""}""", "'backbone_model_name_or_path' is missing")]
    [InlineData("""{"model_type": "reward_model", "backbone_model_name_or_path": 7}""", "must be text")]
    [InlineData("""{"model_type": "reward_model", "backbone_model_name_or_path": "gone/sft"}""", "'gone/sft', but there is no config.json there")]
    [InlineData("""{"model_type": "reward_model", "backbone_model_name_or_path": "."}""", "reward model")]
    [InlineData("""{"model_type": "reward_model", "hidden_size": 64, "backbone_model_type": "opt"}""", "'opt', which is not supported")]
    [InlineData("""{"model_type": "reward_model", "hidden_size": 64}""", "is missing")]
    public void A_backbone_that_cannot_be_used_is_one_clear_sentence(string text, string expected)
    {
        using var root = new TempFolder();
        string path = root.Write("config.json", text);
        var e = Assert.Throws<BadInputException>(() => RewardModelConfig.TryLoad(root.Path));
        Assert.Contains(Path.GetFileName(path), e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    private static void Write(string folder, string config)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
    }
}
