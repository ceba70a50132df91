using System;
using System.Threading;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;

namespace FullApp
{
    /// <summary>An app that uses what leans on its server, and that fails in every way that an app can.</summary>
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
            CreateHostBuilder(args).Build().Run();
            return 42;
        }

        public static IHostBuilder CreateHostBuilder(string[] args) =>
            Host.CreateDefaultBuilder(args)
                .ConfigureWebHostDefaults(web => web.UseStartup<Startup>());
    }
}
