using Farm.Core;
using Farm.Models.Prompts;

namespace Farm.Models.Tests.Prompts;

public class ChatFormatTests
{
    private static readonly ChatMessage[] s_full = [new("system", "Be kind."), new("user", " Hi "), new("assistant", "Hello"), new("user", "Bye")];

    [Theory]
    [InlineData("llama2", "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\n Hi [/INST] Hello </s><s>[INST] Bye [/INST]")]
    [InlineData("llama3", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")]
    [InlineData("qwen2", "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n")]
    [InlineData("TinyLlama", "<|system|>\nBe kind.</s>\n<|user|>\n Hi </s>\n<|assistant|>\nHello</s>\n<|user|>\nBye</s>\n<|assistant|>\n")]
    public void A_conversation_prints_as_the_template_does(string name, string expected) => Assert.Equal(expected, ChatFormat.For(name).Format(s_full));

    [Fact]
    public void Mistral_has_no_system_role()
    {
        Assert.Equal("<s>[INST]  Hi  [/INST]Hello</s>[INST] Bye [/INST]", ChatFormat.For("mistral").Format(s_full[1..]));
        Assert.Throws<BadInputException>(() => ChatFormat.For("mistral").Format(s_full));
    }

    [Theory]
    [InlineData("qwen2", "You are a helpful assistant.")]
    [InlineData("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")]
    public void ChatML_families_bring_their_own_system_message(string name, string system) => Assert.Equal(
        $"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n",
        ChatFormat.For(name).Format(s_full[3..], addGenerationPrompt: false));

    [Theory]
    [InlineData("{{ bos_token + '[INST] ' + '<<SYS>>' }}", "llama2")]
    [InlineData("{{ '<|start_header_id|>' }}", "llama3")]
    [InlineData("{{ '[INST] ' }}", "mistral")]
    [InlineData("{{ '<|user|>' + eos_token + '<|assistant|>' }}", "tinyllama")]
    [InlineData("{{ '<|im_start|>' + 'You are a helpful assistant.' }}", "qwen2")]
    [InlineData("{{ '<|im_start|>' + 'named SmolLM' }}", "smollm2")]
    [InlineData("{{ '<|im_start|>' }}", "chatml")]
    [InlineData("{{ 'Human:' }}", null)]
    [InlineData(null, null)]
    public void The_family_is_recognised_by_its_markers(string? template, string? name) => Assert.Equal(name, ChatFormat.Detect(template)?.Name);

    [Fact]
    public void Bad_conversations_are_refused()
    {
        Assert.Throws<BadInputException>(() => ChatFormat.For("gpt5"));
        Assert.Throws<BadInputException>(() => ChatFormat.For("llama3").Format([]));
        Assert.Throws<BadInputException>(() => ChatFormat.For("llama3").Format([new("tool", "x")]));
        Assert.Throws<BadInputException>(() => ChatFormat.For("llama2").Format([new("user", "a"), new("user", "b")]));
        Assert.Throws<BadInputException>(() => ChatFormat.For("llama2").Format([new("system", "a")]));
    }
}
