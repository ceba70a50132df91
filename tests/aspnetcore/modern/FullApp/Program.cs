using System;
using System.Threading;
using Microsoft.AspNetCore.Builder;

namespace FullApp
{
    /// <summary>The full app as the templates of .NET 6 and later begin one.</summary>
    public static class Program
    {
        public static int Main(string[] args)
        {
            switch (Environment.GetEnvironmentVariable("FULL_START"))
            {
                case "throw":
                    throw new InvalidOperationException("the database is on fire");
                case "return":
                    return 9;
                case "sleep":
                    Thread.Sleep(Timeout.Infinite);
                    break;
                case "fail-fast":
                    Environment.FailFast("not today");
                    break;
                case "stack-overflow":
                    return Faults.Deeper(1);
            }
            var builder = WebApplication.CreateBuilder(args);
            var startup = new Startup();
            startup.ConfigureServices(builder.Services);
            Minimal.AddServices(builder.Services);
            var app = builder.Build();
            Minimal.Map(app);
            startup.Configure(app);
            app.Run();
            return 42;
        }
    }
}
