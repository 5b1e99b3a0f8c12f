using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Farm.Annotation.Baselines;
using Farm.Annotation.Completions;
using Farm.Annotation.Replies;
using Farm.Core;

namespace Farm.Annotation.Tests.Baselines;

public class TextGenerationClientTests
{
    /// <summary>A server on the loopback address that answers with the scripted answers in turn and keeps what it was asked.</summary>
    private sealed class Server : IDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly Task _serving;

        public Server(params (int Status, string Body)[] answers)
        {
            var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            int port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            Address = new Uri($"http://127.0.0.1:{port}/");
            _listener.Prefixes.Add(Address.ToString());
            _listener.Start();
            _serving = Task.Run(async () =>
            {
                foreach (var (status, body) in answers)
                {
                    var context = await _listener.GetContextAsync();
                    using var reader = new StreamReader(context.Request.InputStream);
                    Asked.Add((await reader.ReadToEndAsync(), context.Request.Headers["Authorization"]));
                    context.Response.StatusCode = status;
                    await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
                    context.Response.Close();
                }
            });
        }

        public Uri Address { get; }

        public List<(string Body, string? Authorization)> Asked { get; } = [];

        public void Dispose()
        {
            _listener.Close();
            Assert.True(_serving.IsCompletedSuccessfully);
        }
    }

    private static async Task<CompletionReply> Ask(Server server, Decoding? decoding = null, int retries = 5)
    {
        using var client = new TextGenerationClient(server.Address, "secret", TimeSpan.FromSeconds(30), retries, TimeSpan.FromMilliseconds(1));
        return await new Respondent(client, "m").AskAsync(Prompt.Plain("héllo"), decoding ?? new Decoding(), CancellationToken.None);
    }

    [Fact]
    public async Task Should_speak_the_interface_and_try_again_while_the_model_loads()
    {
        using var server = new Server((503, """{"error": "loading"}"""), (429, "slow down"), (200, "not json"), (200, """[{"generated_text": "hi"}]"""));
        var reply = await Ask(server, new Decoding { MaxTokens = 7, Temperature = 0.5, TopP = 1, Stop = ["</s>"] });
        Assert.Equal(("hi", 4), (reply.Text, reply.Attempts));
        Assert.Equal("Bearer secret", server.Asked[0].Authorization);
        var body = JsonElement.Parse(server.Asked[3].Body);
        Assert.Equal("héllo", body.GetProperty("inputs").GetString());
        Assert.Equal("""{"return_full_text":false,"max_new_tokens":7,"temperature":0.5,"stop":["</s>"],"do_sample":true}""", body.GetProperty("parameters").GetRawText());
    }

    [Fact]
    public async Task Should_ask_for_greedy_decoding_where_the_temperature_is_zero()
    {
        using var server = new Server((200, """{"generated_text": ""}"""));
        Assert.Equal(" ", (await Ask(server, new Decoding { Temperature = 0 })).Text);
        Assert.Equal("""{"return_full_text":false,"do_sample":false}""", JsonElement.Parse(server.Asked[0].Body).GetProperty("parameters").GetRawText());
    }

    [Fact]
    public async Task Should_return_a_typed_failure_when_retries_are_spent()
    {
        using var server = new Server((500, "a"), (500, "b"));
        var reply = await Ask(server, retries: 1);
        Assert.Equal(("server_error", "500 b", 2), (reply.Failure!.Code, reply.Failure.Detail, reply.Attempts));
    }

    [Fact]
    public async Task Should_not_repeat_a_request_that_is_wrong()
    {
        using var server = new Server((422, "inputs too long"));
        Assert.Equal("bad_request", (await Ask(server)).Failure!.Code);
    }

    [Theory]
    [InlineData(401, "HF_TOKEN")]
    [InlineData(403, "HF_TOKEN")]
    [InlineData(404, "check the address")]
    public async Task Should_stop_at_once_when_no_request_can_succeed(int status, string advice)
    {
        using var server = new Server((status, ""));
        string message = (await Assert.ThrowsAsync<BadInputException>(() => Ask(server))).Message;
        Assert.Contains(advice, message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_refuse_chats()
    {
        using var client = new TextGenerationClient(new Uri("http://127.0.0.1:1/"), null, TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<BadInputException>(() => new Respondent(client, "m").AskAsync(Prompt.Chat("x"), new Decoding(), CancellationToken.None));
    }
}
