using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Training.Tests;

/// <summary>Whole runs: learning, resuming, failing.</summary>
public sealed class TrainerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static TrainingExample[] Examples => [.. Enumerable.Range(0, 7).Select(i => new TrainingExample([[1, i, (i * 5) % 13, (i * 7) % 13, 2]], 2))];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Losses_fall()
    {
        using var model = TinyModel.Load();
        using var trainer = Create(model, Options("falling") with { LearningRate = 0.02, MaxSteps = 12 });
        double first = trainer.Update(0).Loss;
        Assert.True(trainer.Run().LastLoss < first - 0.5);
    }

    [Fact]
    public void A_resumed_run_ends_in_the_bits_of_an_uninterrupted_one()
    {
        float[] whole = RunWhole("whole");
        Assert.Equal(whole, RunInterrupted("cut", lora: null, forget: false));
        // The control: with its moments lost, the run would end elsewhere.
        Assert.NotEqual(whole, RunInterrupted("forgetful", lora: null, forget: true));
    }

    [Fact]
    public void A_resumed_run_with_dropout_ends_in_the_same_bits_too()
    {
        var lora = new LoraOptions { Rank = 2, Dropout = 0.3 };
        Assert.Equal(RunWhole("whole", lora), RunInterrupted("cut", lora, forget: false));
    }

    [Fact]
    public void Checkpoints_beyond_the_limit_go_and_metrics_have_each_step_once()
    {
        RunInterrupted("limited", lora: null, forget: false);
        Assert.Equal([4, 6], new TrainingCheckpoints(_folder.File("limited")).Steps());
        Assert.Equal([1, 2, 3, 4, 5, 6], JsonLinesSink.Read(_folder.File("limited/metrics.jsonl")).Select(l => l.Step));
    }

    [Fact]
    public void A_checkpoint_of_other_settings_or_another_shape_is_refused()
    {
        RunInterrupted("run", lora: null, forget: false);
        using (var model = TinyModel.Load())
        using (var trainer = Create(model, Options("run") with { Resume = true, LearningRate = 0.5 }))
        {
            Assert.Contains("learning_rate was 0.01 and is now 0.5", Assert.Throws<BadInputException>(() => trainer.Run()).Message, StringComparison.Ordinal);
        }

        using (var model = TinyModel.Load(config: TinyModel.Config with { IntermediateSize = 12 }))
        using (var trainer = Create(model, Options("run") with { Resume = true }))
        {
            Assert.Contains("model_shape", Assert.Throws<BadInputException>(() => trainer.Run()).Message, StringComparison.Ordinal);
        }

        string state = _folder.File("run/checkpoint-6/training_state.safetensors");
        SafetensorsWriter.Write(state, [MemoryTensor.FromFloats("parameters.matrices", [1, 4], [1, 2, 3, 4])]);
        using (var model = TinyModel.Load())
        using (var trainer = Create(model, Options("run") with { Resume = true }))
        {
            Assert.Contains("another shape", Assert.Throws<BadInputException>(() => trainer.Run()).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_save_that_fails_leaves_the_checkpoint_before_it()
    {
        var options = Options("full");
        using (var model = TinyModel.Load())
        using (var trainer = Create(model, options))
        {
            // A file where the temporary folder must go stands for a disk that refuses.
            trainer.Progress = (step, _) =>
            {
                if (step == 3)
                {
                    File.WriteAllText(_folder.File("full/.checkpoint-4"), "in the way");
                }
            };
            Assert.Contains(".checkpoint-4 cannot be written", Assert.Throws<BadInputException>(() => trainer.Run()).Message, StringComparison.Ordinal);
        }

        File.Delete(_folder.File("full/.checkpoint-4"));
        Assert.Equal([2], new TrainingCheckpoints(_folder.File("full")).Steps());
        using var again = TinyModel.Load();
        using var resumed = Create(again, options with { Resume = true });
        Assert.Equal(2, resumed.Run().ResumedFrom);
        Assert.Equal(RunWhole("whole"), TinyModel.Values(again));
    }

    [Fact]
    public void A_loss_that_is_not_finite_stops_the_run_and_names_step_and_tensor()
    {
        using var model = TinyModel.Load();
        var norm = model.Trained.ValueOf("model.layers.1.input_layernorm.weight");
        using var trainer = Create(model, Options("nan"));
        trainer.Progress = (step, _) => TinyModel.Backend.Upload<float>([1, 1, float.NaN, 1, 1, 1, 1, 1], norm);
        string message = Assert.Throws<BadInputException>(() => trainer.Run()).Message;
        Assert.StartsWith("Step 2: the loss is not finite", message, StringComparison.Ordinal);
        Assert.Contains("model.layers.1.input_layernorm.weight", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Examples_weigh_the_same_unless_tokens_shall()
    {
        TrainingExample[] uneven = [new([[1, 2, 3, 4, 5, 6, 7]], 1), new([[1, 9]], 1)];
        Assert.NotEqual(Loss(LossNormalization.Example), Loss(LossNormalization.Token));
        using var model = TinyModel.Load();
        using var workspace = model.CreateWorkspace(9);
        var results = new SftTask().Pass(model, workspace, new PackedBatch(), uneven, null);
        Assert.Equal((results[0].Loss + results[1].Loss) / 2, Loss(LossNormalization.Example), 1e-9);
        Assert.Equal((results[0].LossSum + results[1].LossSum) / 7, Loss(LossNormalization.Token), 1e-9);

        double Loss(LossNormalization normalization)
        {
            using var model = TinyModel.Load();
            using var trainer = new Trainer(model, new SftTask(), uneven, [], Options("weights") with { MicroBatch = 2, Accumulation = 1, Normalization = normalization }, [], []);
            return trainer.Update(0).Loss;
        }
    }

    [Fact]
    public void Merged_adapters_are_the_adapted_model_and_survive_saving()
    {
        var options = new TrainableLlamaOptions { Lora = new LoraOptions { Rank = 2, TargetModules = [LoraOptions.AllLinear] } };
        using var model = TinyModel.Load(options);
        using var trainer = Create(model, Options("lora") with { LearningRate = 0.05 });
        trainer.Run();
        double expected = trainer.Evaluate()[0].Value;
        using var source = new TinyModel.RandomTensors(TinyModel.Config);
        ModelSaver.Save(model, source, _folder.File("merged"), DType.F32);
        PeftAdapter.Save(model, "base", _folder.File("adapter"));
        using (var merged = LoadFrom(_folder.File("merged"), new TrainableLlamaOptions()))
        using (var check = Create(merged, Options("check")))
        {
            Assert.Equal(expected, check.Evaluate()[0].Value, 1e-5);
        }

        using var loaded = TinyModel.Load(options with { Lora = PeftAdapter.ReadOptions(_folder.File("adapter")) });
        PeftAdapter.Load(loaded, _folder.File("adapter"));
        Assert.Equal(TinyModel.Values(model), TinyModel.Values(loaded));
        using var plain = TinyModel.Load();
        using var before = Create(plain, Options("before"));
        Assert.NotEqual(expected, before.Evaluate()[0].Value, 1e-3);
    }

    [Fact]
    public void A_saved_reward_model_has_AlpacaFarms_layout()
    {
        using var model = TinyModel.Load(new TrainableLlamaOptions { Head = ModelHead.Reward });
        using var source = new TinyModel.RandomTensors(TinyModel.Config);
        ModelSaver.Save(model, source, _folder.File("reward"), DType.BF16);
        using var saved = Checkpoint.Open(_folder.File("reward"));
        CheckpointValidator.ValidateReward(saved, TinyModel.Config);
        Assert.Equal(source.Tensors["lm_head.weight"].ReadFloats(), saved.Tensors["backbone_model.lm_head.weight"].ReadFloats());
        float[] head = TinyModel.Values(model.Trained.ValueOf("reward_head.weight"));
        Assert.All(head, v => Assert.InRange(Math.Abs(v), 0, 1 / Math.Sqrt(8)));
        Assert.True(head.Max() - head.Min() > 0.1);
        Assert.Equal([0f], saved.Tensors["reward_head.bias"].ReadFloats());
    }

    private static TrainableLlama LoadFrom(string folder, TrainableLlamaOptions options)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return TrainableLlama.Load(TinyModel.Backend, checkpoint, TinyModel.Config, options);
    }

    private static Trainer Create(TrainableLlama model, TrainerOptions options, params IMetricSink[] sinks) =>
        new(model, new SftTask(), Examples, Examples[..3], options, new JsonObject { ["data"] = "seven" }, sinks);

    private TrainerOptions Options(string name) => new()
    {
        OutputFolder = Directory.CreateDirectory(_folder.File(name)).FullName,
        MicroBatch = 1,
        Accumulation = 2,
        MaxSteps = 6,
        LearningRate = 0.01,
        LoggingSteps = 1,
        SaveSteps = 2,
        SaveTotalLimit = 2,
    };

    private float[] RunWhole(string name, LoraOptions? lora = null)
    {
        using var model = TinyModel.Load(new TrainableLlamaOptions { Lora = lora });
        using var trainer = Create(model, Options(name) with { SaveSteps = null });
        trainer.Run();
        return TinyModel.Values(model);
    }

    /// <summary>Killed after step 3, gone on with from the checkpoint of step 2.</summary>
    private float[] RunInterrupted(string name, LoraOptions? lora, bool forget)
    {
        string metrics = _folder.File(name + "/metrics.jsonl");
        using (var model = TinyModel.Load(new TrainableLlamaOptions { Lora = lora }))
        using (var lines = new JsonLinesSink(metrics))
        using (var trainer = Create(model, Options(name), new TrainingOnly(lines)))
        {
            trainer.Progress = (step, _) => _ = step == 3 ? throw new IOException("killed") : 0;
            Assert.Throws<IOException>(() => trainer.Run());
        }

        if (forget)
        {
            string path = _folder.File(name + "/checkpoint-2/training_state.safetensors");
            List<ICheckpointTensor> tensors;
            using (var checkpoint = Checkpoint.Open(Path.GetDirectoryName(path)!))
            {
                tensors = [.. checkpoint.Tensors.Values.Select(t => MemoryTensor.FromFloats(t.Name, t.Shape, t.Name.StartsWith("first", StringComparison.Ordinal) ? new float[t.Rows * t.Columns] : t.ReadFloats()))];
            }

            SafetensorsWriter.Write(path, tensors);
        }

        using var again = TinyModel.Load(new TrainableLlamaOptions { Lora = lora });
        using var more = new JsonLinesSink(metrics);
        using var resumed = Create(again, Options(name) with { Resume = true }, new TrainingOnly(more));
        Assert.Equal(2, resumed.Run().ResumedFrom);
        return TinyModel.Values(again);
    }

    /// <summary>Leaves evaluations out.</summary>
    private sealed class TrainingOnly(IMetricSink inner) : IMetricSink
    {
        public void Begin(int stepsDone) => inner.Begin(stepsDone);

        public void Write(MetricLine line)
        {
            if (line.Values[0].Name != "eval_loss")
            {
                inner.Write(line);
            }
        }

        public void Dispose() => inner.Dispose();
    }
}
