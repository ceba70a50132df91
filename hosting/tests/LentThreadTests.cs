using System;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Microsoft.AspNetCore.Http;

namespace Ancm.Hosting.Tests
{
    /// <summary>The app on the thread that brings the request.</summary>
    internal static class LentThreadTests
    {
        private static readonly AsyncLocal<string> _local = new AsyncLocal<string>();

        public static void AppRunsBeforeTheCallbackReturns()
        {
            var thread = 0;
            var request = FakeApp.Request(
                context =>
                {
                    thread = Thread.CurrentThread.ManagedThreadId;
                    return context.Response.WriteAsync("here");
                },
                flags: RequestFlags.RunHere);
            FakeNative.Begin(request);
            Check.Equal("start 200 here END", request.Calls);
            Check.Equal(true, request.Completed.IsCompleted);
            Check.Equal(Thread.CurrentThread.ManagedThreadId, thread);
        }

        public static void ThreadIsGivenBackAtTheFirstPause()
        {
            var pause = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            var request = FakeApp.Request(
                async context =>
                {
                    await pause.Task;
                    await context.Response.WriteAsync("later");
                },
                flags: RequestFlags.RunHere);
            FakeNative.Begin(request);
            Check.Equal("", request.Calls);
            pause.SetResult(true);
            Check.InTime(request.Completed).GetAwaiter().GetResult();
            Check.Equal("start 200 later\nwrite END", request.Calls);
        }

        public static void AppGoesOnWhereItsDataCame()
        {
            var thread = 0;
            var request = FakeApp.Request(
                async context =>
                {
                    var read = await context.Request.Body.ReadAsync(new byte[10], 0, 10);
                    thread = Thread.CurrentThread.ManagedThreadId;
                    await context.Response.WriteAsync(read.ToString());
                },
                "POST",
                RequestFlags.RunHere | RequestFlags.HasBody);
            FakeNative.Begin(request);
            Check.Equal("", request.Calls);
            request.AddBody("body");
            FakeNative.ReadReady(request.Id, RequestFlags.RunHere);
            Check.Equal("start 200 4\nwrite END", request.Calls);
            Check.Equal(Thread.CurrentThread.ManagedThreadId, thread);
        }

        public static void AppGoesOnWhereThereIsRoom()
        {
            var thread = 0;
            var request = FakeApp.Request(
                async context =>
                {
                    await context.Response.Body.WriteAsync(new byte[5000], 0, 5000);
                    thread = Thread.CurrentThread.ManagedThreadId;
                },
                flags: RequestFlags.RunHere);
            request.Taking = Status.Pending;
            FakeNative.Begin(request);
            Check.Equal(0, thread);
            FakeNative.WriteReady(request.Id, RequestFlags.RunHere);
            Check.Equal(Thread.CurrentThread.ManagedThreadId, thread);
            Check.Equal(true, request.Completed.IsCompleted);
        }

        public static async Task WithoutLeaveItGoesOnElsewhere()
        {
            var thread = 0;
            var request = FakeApp.Request(
                async context =>
                {
                    await context.Request.Body.ReadAsync(new byte[10], 0, 10);
                    thread = Thread.CurrentThread.ManagedThreadId;
                },
                "POST",
                RequestFlags.RunHere | RequestFlags.HasBody);
            FakeNative.Begin(request);
            request.EndBody();
            var blocked = new ManualResetEventSlim();
            var caller = new Thread(() =>
            {
                FakeNative.ReadReady(request.Id);
                blocked.Wait();
            });
            caller.Start();
            await Check.InTime(request.Completed);
            Check.Equal(false, thread == caller.ManagedThreadId);
            blocked.Set();
            caller.Join();
        }

        public static void NothingOfTheAppStaysWithTheThread()
        {
            var seen = "";
            RequestDelegate app = context =>
            {
                seen += _local.Value ?? "-";
                _local.Value = "left behind";
                return Task.CompletedTask;
            };
            FakeNative.Begin(FakeApp.Request(app, flags: RequestFlags.RunHere));
            FakeNative.Begin(FakeApp.Request(app, flags: RequestFlags.RunHere));
            Check.Equal("--", seen);
            Check.Equal(null, _local.Value);
        }
    }
}
