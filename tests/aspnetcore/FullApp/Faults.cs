using System;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FullApp
{
    /// <summary>What an app should not do.</summary>
    internal static class Faults
    {
        private static long _flooded;
        private static int _floods;

        public static Task Exit(HttpContext context)
        {
            Environment.Exit(5);
            return Task.CompletedTask;
        }

        public static Task FailFast(HttpContext context)
        {
            Environment.FailFast("asked to fail fast");
            return Task.CompletedTask;
        }

        public static Task StackOverflow(HttpContext context) => Task.FromResult(Deeper(1));

        public static Task OnAThread(HttpContext context)
        {
            new Thread(() => throw new InvalidOperationException("nobody catches this")).Start();
            return Task.Delay(Timeout.Infinite);
        }

        /// <summary>A signal of the processor to begin with, and an exception in the end.</summary>
        public static Task NullReference(HttpContext context)
        {
            string text = null;
            return context.Response.WriteAsync(text.Length.ToString());
        }

        /// <summary>Looks neither at its client nor at the end of the app.</summary>
        public static async Task Never(HttpContext context)
        {
            await context.Response.WriteAsync("begun");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite);
        }

        /// <summary>Writes for as long as its client is there, and says with <c>?told</c> how much that was.</summary>
        public static async Task Flood(HttpContext context)
        {
            if (context.Request.Query.ContainsKey("told"))
            {
                await context.Response.WriteJson(
                    new { bytes = Interlocked.Read(ref _flooded), under = Volatile.Read(ref _floods) });
                return;
            }
            var piece = new byte[64 * 1024];
            Interlocked.Increment(ref _floods);
            try
            {
                while (!context.RequestAborted.IsCancellationRequested)
                {
                    await context.Response.Body.WriteAsync(piece, 0, piece.Length, context.RequestAborted);
                    Interlocked.Add(ref _flooded, piece.Length);
                }
            }
            finally
            {
                Interlocked.Decrement(ref _floods);
            }
        }

        public static Task Unread(HttpContext context) => context.Response.WriteAsync("not interested");

        /// <summary>Reads the body, as fast as it comes.</summary>
        public static async Task Read(HttpContext context)
        {
            var buffer = new byte[64 * 1024];
            var bytes = 0L;
            int count;
            while ((count = await context.Request.Body.ReadAsync(buffer, 0, buffer.Length)) > 0)
            {
                bytes += count;
            }
            await context.Response.WriteAsync(bytes.ToString());
        }

        /// <summary>
        /// Reads the body and writes 100,000 bytes, both with the thread that it is called on, where the pool has as few as it can
        /// have.
        /// </summary>
        public static Task Block(HttpContext context)
        {
            ThreadPool.GetMaxThreads(out _, out var others);
            ThreadPool.SetMaxThreads(Environment.ProcessorCount, others);
            context.Features.Get<IHttpBodyControlFeature>().AllowSynchronousIO = true;
            var buffer = new byte[100_000];
            var bytes = 0;
            int count;
            while ((count = context.Request.Body.Read(buffer, 0, buffer.Length)) > 0)
            {
                bytes += count;
            }
            context.Response.Headers["X-Read"] = bytes.ToString();
            context.Response.Body.Write(buffer, 0, buffer.Length);
            return Task.CompletedTask;
        }

        public static int Deeper(int depth) => Deeper(depth + 1) + depth;
    }
}
