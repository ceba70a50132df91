using System;
using System.Threading;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FullApp
{
    /// <summary>The full app as the templates of .NET 6 and later begin one, or by any other host that there is.</summary>
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
            switch (Environment.GetEnvironmentVariable("FULL_HOST"))
            {
                case "generic":
                    Host.CreateDefaultBuilder(args)
                        .ConfigureWebHostDefaults(web => web.UseStartup<Startup>())
                        .Build().Run();
                    break;
                case "web":
                    WebHost.CreateDefaultBuilder<Startup>(args).Build().Run();
                    break;
                case "slim":
                    Run(WebApplication.CreateSlimBuilder(args));
                    break;
                case "empty":
                    var empty = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
                    empty.WebHost.UseKestrelCore();
                    Run(empty);
                    break;
                default:
                    Run(WebApplication.CreateBuilder(args));
                    break;
            }
            return 42;
        }

        private static void Run(WebApplicationBuilder builder)
        {
            builder.Services.AddRouting();
            var startup = new Startup();
            startup.ConfigureServices(builder.Services);
            Minimal.AddServices(builder.Services);
            var app = builder.Build();
            Minimal.Map(app);
            startup.Configure(app);
            app.Run();
        }
    }
}
