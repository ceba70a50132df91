using System;
using System.Collections.Concurrent;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace StockApp
{
    /// <summary>Answers of every kind, and none.</summary>
    internal static class Answers
    {
        private static readonly ConcurrentDictionary<string, Hanging> Hangs =
            new ConcurrentDictionary<string, Hanging>();

        public static async Task Status(HttpContext context)
        {
            var code = int.Parse((string)context.Request.RouteValues["code"]);
            context.Response.StatusCode = code;
            if (context.Request.Query.TryGetValue("reason", out var reason))
            {
                context.Features.Get<IHttpResponseFeature>().ReasonPhrase = reason;
            }
            if (code >= 300 && code < 400 && code != 304)
            {
                context.Response.Headers["Location"] = "/somewhere?else=%20";
            }
            if (code >= 200 && code != 204 && code != 205 && code != 304)
            {
                await context.Response.WriteAsync("status " + code);
            }
        }

        public static Task Headers(HttpContext context)
        {
            var headers = context.Response.Headers;
            headers.Append("Set-Cookie", "a=1; path=/");
            headers.Append("Set-Cookie", "b=2; expires=Wed, 21 Oct 2065 07:28:00 GMT");
            headers.Append("Set-Cookie", "c=3");
            headers.Append("X-Repeated", "one");
            headers.Append("X-Repeated", "two");
            headers["X-Custom"] = "with, comma; and \"quotes\"";
            headers["X-Empty"] = "";
            headers["Cache-Control"] = "no-store";
            return context.Response.WriteAsync("headers");
        }

        public static async Task Slow(HttpContext context)
        {
            await Task.Delay(int.Parse(context.Request.Query["ms"]), context.RequestAborted);
            // With a length, all of it is written at once: whoever ends this process ends it before or after.
            context.Response.ContentLength = "slow".Length;
            await context.Response.WriteAsync("slow");
        }

        /// <summary>Answers nothing until the client is gone.</summary>
        public static async Task Hang(HttpContext context)
        {
            var hanging = Named(context);
            using (context.RequestAborted.Register(() => hanging.Ended.TrySetResult(true)))
            {
                if (context.Request.Query.ContainsKey("start"))
                {
                    await context.Response.WriteAsync("started");
                    await context.Response.Body.FlushAsync();
                }
                hanging.Began.TrySetResult(true);
                await hanging.Ended.Task;
            }
        }

        /// <summary>Answers once the hanging request of this name is here.</summary>
        public static async Task HangBegan(HttpContext context)
        {
            await Named(context).Began.Task;
            context.Response.StatusCode = 204;
        }

        /// <summary>Answers once the hanging request of this name has lost its client.</summary>
        public static async Task HangEnded(HttpContext context)
        {
            await Named(context).Ended.Task;
            context.Response.StatusCode = 204;
        }

        /// <summary>Breaks the connection: before the head, or in the middle of the body once its gate opens.</summary>
        public static async Task Abort(HttpContext context)
        {
            if (context.Request.Query.TryGetValue("gate", out var gate))
            {
                context.Response.ContentLength = 1000;
                await context.Response.WriteAsync("the rest never comes");
                await context.Response.Body.FlushAsync();
                await Streams.Gate(gate).WaitAsync();
            }
            context.Abort();
        }

        public static Task WriteOut(HttpContext context)
        {
            var query = context.Request.Query;
            var lines = query.ContainsKey("lines") ? int.Parse(query["lines"]) : 1;
            for (var line = 0; line < lines; line++)
            {
                Console.Out.WriteLine($"stdout {line} {query["text"]}");
                Console.Error.WriteLine($"stderr {line} {query["text"]}");
            }
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        }

        public static Task Exit(HttpContext context)
        {
            var code = context.Request.Query.TryGetValue("code", out var text) ? int.Parse(text) : 0;
            context.Response.OnCompleted(() =>
            {
                new Thread(() => Environment.Exit(code)).Start();
                return Task.CompletedTask;
            });
            context.Response.StatusCode = 202;
            return Task.CompletedTask;
        }

        public static Task Crash(HttpContext context)
        {
            Environment.FailFast("the app was asked to crash");
            return Task.CompletedTask;
        }

        private static Hanging Named(HttpContext context) =>
            Hangs.GetOrAdd((string)context.Request.RouteValues["name"], _ => new Hanging());

        private sealed class Hanging
        {
            public readonly TaskCompletionSource<bool> Began = New();
            public readonly TaskCompletionSource<bool> Ended = New();

            private static TaskCompletionSource<bool> New() =>
                new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
